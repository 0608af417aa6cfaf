//! How the image will look where it is shown: square, large enough, on a background.

use roxmltree::Node;

use super::judge::tag;
use crate::audit::rules::bimi::B16;
use crate::audit::{Finding, Span};

/// What the picture lacks.
pub(super) fn judge(root: Node<'_, '_>, findings: &mut Vec<Finding>) {
    let view = view_box(root, findings);
    size(root, findings);
    if !root.children().any(|child| child.tag_name().name() == "desc") {
        findings.push(
            Finding::note(&B16, "no desc").at(tag(root)).expected("a desc that says what it shows"),
        );
    }
    if let Some(view) = view {
        background(root, view, findings);
    }
}

/// The part of the plane that is shown: left, top, width, height.
fn view_box(root: Node<'_, '_>, findings: &mut Vec<Finding>) -> Option<[f64; 4]> {
    let expected = "four numbers with spaces between, such as 0 0 512 512";
    let Some(attribute) = root.attribute_node("viewBox") else {
        findings.push(Finding::weak(&B16, "no viewBox").at(tag(root)).expected(expected));
        return None;
    };
    let at = Span { start: attribute.range().start, end: attribute.range().end };
    let value = attribute.value();
    if value.contains(',') {
        let finding = Finding::weak(&B16, "a viewBox with commas").at(at);
        findings.push(finding.expected(expected));
    }
    let numbers: Vec<f64> =
        value.split([' ', ',', '\t', '\n']).filter_map(|number| number.parse().ok()).collect();
    let [left, top, width, height] = numbers[..] else {
        let finding = Finding::weak(&B16, format!("viewBox=\"{value}\"")).at(at);
        findings.push(finding.expected(expected));
        return None;
    };
    if !is_square(width, height) {
        let finding = Finding::weak(&B16, format!("an image of {width} by {height}")).at(at);
        findings.push(finding.expected("a square"));
    }
    Some([left, top, width, height])
}

fn size(root: Node<'_, '_>, findings: &mut Vec<Finding>) {
    let length = |name: &str| root.attribute_node(name);
    let (Some(width), Some(height)) = (length("width"), length("height")) else {
        let finding = Finding::note(&B16, "no width and height").at(tag(root));
        findings.push(finding.expected("both in pixels, at least 96"));
        return;
    };
    let mut sides = Vec::new();
    for side in [&width, &height] {
        let at = Span { start: side.range().start, end: side.range().end };
        match pixels(side.value()) {
            Some(pixels) if pixels >= SMALLEST => sides.push(pixels),
            _ => findings.push(
                Finding::weak(&B16, format!("{}=\"{}\"", side.name(), side.value()))
                    .at(at)
                    .expected("pixels, at least 96"),
            ),
        }
    }
    if let [width, height] = sides[..]
        && !is_square(width, height)
    {
        let finding = Finding::weak(&B16, format!("a width of {width} and a height of {height}"));
        findings.push(finding.at(tag(root)).expected("a square"));
    }
}

/// Whether something is painted behind everything else. A path may be a background or not, which
/// is not judged.
fn background(root: Node<'_, '_>, view: [f64; 4], findings: &mut Vec<Finding>) {
    let is_painted = |node: &Node<'_, '_>| {
        PAINTED.contains(&node.tag_name().name())
            && !node.ancestors().any(|above| above.tag_name().name() == "defs")
    };
    let first = root.descendants().find(is_painted);
    let covers = match first {
        Some(node) if node.tag_name().name() == "rect" => is_background(node, view),
        Some(node) => node.tag_name().name() == "path",
        None => false,
    };
    if !covers && root.attribute("viewport-fill").is_none() {
        let finding = Finding::weak(&B16, "no solid background");
        let at = first.map_or_else(|| tag(root), tag);
        findings
            .push(finding.at(at).expected("a filled rect of the whole view as the first shape"));
    }
}

fn is_background(node: Node<'_, '_>, [left, top, width, height]: [f64; 4]) -> bool {
    let number = |name: &str, whole: f64| match node.attribute(name) {
        None => 0.0,
        Some("100%") => whole,
        Some(text) => pixels(text).unwrap_or(0.0),
    };
    let is_solid = node.attribute("fill") != Some("none")
        && node.attribute("fill-opacity").is_none_or(|text| text.parse() == Ok(1.0));
    let (x, y) = (number("x", width), number("y", height));
    is_solid
        && x <= left
        && y <= top
        && x + number("width", width) >= left + width
        && y + number("height", height) >= top + height
}

/// A length in pixels, when it is one.
fn pixels(text: &str) -> Option<f64> {
    let bare = text.trim();
    bare.strip_suffix("px").unwrap_or(bare).parse().ok().filter(|pixels: &f64| pixels.is_finite())
}

fn is_square(width: f64, height: f64) -> bool {
    (width - height).abs() <= f64::EPSILON * width.abs().max(height.abs())
}

const PAINTED: [&str; 9] =
    ["circle", "ellipse", "line", "path", "polygon", "polyline", "rect", "text", "use"];
const SMALLEST: f64 = 96.0;
