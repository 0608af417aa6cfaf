//! Every fault of an image.

use roxmltree::{Attribute, Document, Node};

use super::image::{self, Image};
use super::limits::{DEPTH, FINDINGS};
use super::profile::{
    BANNED, BANNED_ATTRIBUTES, NOT_ON_ROOT, SVG, XLINK, XML, has_attribute, is_element,
};
use super::{content, picture};
use crate::audit::rules::bimi;
use crate::audit::{Finding, Span};

/// Judges an image; places are those of [`Image::text`].
pub fn judge(mut image: Image) -> (Image, Vec<Finding>) {
    if image.text.is_empty() && !image.findings.is_empty() {
        let findings = std::mem::take(&mut image.findings);
        return (image, findings);
    }
    let text = image.parsed_text();
    let mut findings = std::mem::take(&mut image.findings);
    match image::parse(&text) {
        Ok(document) => whole(&document, &mut findings),
        Err(finding) => findings.push(*finding),
    }
    if findings.len() > FINDINGS {
        findings.truncate(FINDINGS);
        findings.push(Finding::note(&bimi::B13, "more faults, which are not told"));
    }
    (image, findings)
}

fn whole(document: &Document<'_>, findings: &mut Vec<Finding>) {
    let root = document.root_element();
    root_element(root, findings);
    for node in document.root().children().filter(Node::is_pi) {
        findings.push(instruction(node));
    }
    let mut open: Vec<usize> = Vec::new();
    let mut is_deep = false;
    for node in root.descendants() {
        let range = node.range();
        while open.last().is_some_and(|end| *end <= range.start) {
            open.pop();
        }
        if node.is_pi() {
            findings.push(instruction(node));
        }
        if node.is_text() {
            findings.extend(content::text(node));
        }
        if !node.is_element() {
            continue;
        }
        open.push(range.end);
        if open.len() > DEPTH && !std::mem::replace(&mut is_deep, true) {
            let found = format!("elements nested more than {DEPTH} deep");
            findings
                .push(Finding::error(&bimi::B10, found).at(tag(node)).expected("a flatter image"));
        }
        if node != root {
            element(node, findings);
        }
        for attribute in node.attributes() {
            each(node, &attribute, node == root, findings);
        }
        if findings.len() > FINDINGS {
            return;
        }
    }
    picture::judge(root, findings);
}

fn root_element(root: Node<'_, '_>, findings: &mut Vec<Finding>) {
    let at = tag(root);
    if root.tag_name().name() != "svg" || root.tag_name().namespace() != Some(SVG) {
        let found = format!("the root is {}", root.tag_name().name());
        let expected = format!("svg with xmlns=\"{SVG}\"");
        findings.push(Finding::error(&bimi::B11, found).at(at).expected(expected));
    }
    for (name, wanted) in [("version", "1.2"), ("baseProfile", "tiny-ps")] {
        let own = root.attributes().find(|own| own.name() == name && own.namespace().is_none());
        if own.is_none_or(|own| own.value() != wanted) {
            let found = own
                .map_or_else(|| format!("no {name}"), |own| format!("{name}=\"{}\"", own.value()));
            let at = own.map_or(at, |own| span(own.range()));
            let expected = format!("{name}=\"{wanted}\"");
            findings.push(Finding::error(&bimi::B11, found).at(at).expected(expected));
        }
    }
    let is_title = |node: &Node<'_, '_>| node.tag_name().name() == "title";
    let titles: Vec<_> = root.children().filter(is_title).collect();
    let first = root.children().find(Node::is_element);
    let expected = "one title as the first element in svg";
    match titles.as_slice() {
        [] => findings.push(Finding::error(&bimi::B11, "no title").at(at).expected(expected)),
        [title] => {
            if first != Some(*title) {
                let finding = Finding::error(&bimi::B11, "a title that is not the first element");
                findings.push(finding.at(tag(*title)).expected(expected));
            }
            if title.text().is_none_or(|text| text.trim().is_empty()) {
                let finding = Finding::weak(&bimi::B11, "an empty title");
                findings.push(finding.at(tag(*title)).expected("the name of the brand"));
            }
        }
        [_, second, ..] => findings.push(
            Finding::error(&bimi::B11, format!("{} titles", titles.len()))
                .at(tag(*second))
                .expected(expected),
        ),
    }
}

fn element(node: Node<'_, '_>, findings: &mut Vec<Finding>) {
    let name = node.tag_name().name();
    let at = tag(node);
    if node.tag_name().namespace() != Some(SVG) {
        let found = format!("the foreign element {name}");
        let finding = Finding::error(&bimi::B13, found);
        findings.push(finding.at(at).expected("elements of SVG only"));
        return;
    }
    if let Some((_, instead)) = BANNED.iter().find(|(banned, _)| *banned == name) {
        findings.push(
            Finding::error(&bimi::B14, format!("the element {name}")).at(at).expected(*instead),
        );
    } else if name == "svg" || !is_element(name) {
        findings.push(
            Finding::error(&bimi::B13, format!("the element {name}"))
                .at(at)
                .expected("shapes, text, gradients, g, defs and use"),
        );
    } else {
        findings.extend(content::place(node));
    }
}

fn each(
    node: Node<'_, '_>,
    attribute: &Attribute<'_, '_>,
    is_root: bool,
    findings: &mut Vec<Finding>,
) {
    let (name, value) = (attribute.name(), attribute.value());
    let at = span(attribute.range());
    let told = |finding: Finding| finding.at(at);
    match attribute.namespace() {
        Some(XML) => {}
        Some(XLINK) if name == "href" => findings.push(told(link(value))),
        Some(namespace) => findings.push(told(
            Finding::error(&bimi::B12, format!("{name} of the namespace {namespace}"))
                .expected("attributes of SVG only"),
        )),
        None if name == "href" => findings.push(told(link(value))),
        None if is_event(name) => {
            let rule = if is_root { &bimi::B12 } else { &bimi::B14 };
            findings.push(told(
                Finding::error(rule, format!("the event {name}")).expected("no scripts"),
            ));
        }
        None if is_root && NOT_ON_ROOT.contains(&name) => findings.push(told(
            Finding::error(&bimi::B12, format!("{name} on the root")).expected("no such attribute"),
        )),
        None if BANNED_ATTRIBUTES.contains(&name) => findings.push(told(
            Finding::error(&bimi::B14, format!("the attribute {name}"))
                .expected("attributes of the profile, such as fill and fill-opacity"),
        )),
        None if node.tag_name().namespace() == Some(SVG)
            && is_element(node.tag_name().name())
            && !has_attribute(node.tag_name().name(), name) =>
        {
            let found = format!("the attribute {name}, which {} has not", node.tag_name().name());
            findings.push(told(
                Finding::error(&bimi::B14, found).expected("attributes of the profile"),
            ));
        }
        None => {}
    }
    if name != "href"
        && let Some(found) = reaches_out(value)
    {
        findings.push(told(Finding::error(&bimi::B14, found).expected("url(#id), or a colour")));
    }
}

/// A link, inside the file or out of it.
fn link(value: &str) -> Finding {
    let target = value.trim();
    if target.starts_with('#') {
        return Finding::weak(&bimi::B15, format!("a reference to {target}"))
            .expected("the shape itself");
    }
    let what: String = target.chars().take(SHOWN).collect();
    Finding::error(&bimi::B14, format!("a link out of the image: {what}")).expected("no links")
}

/// Values that load or run something.
fn reaches_out(value: &str) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    if lower.trim_start().starts_with("javascript:") {
        return Some("a script".to_owned());
    }
    let targets = lower.split("url(").skip(1).map(|rest| rest.trim_start_matches(['"', '\'', ' ']));
    let is_outside = |target: &str| !target.starts_with('#');
    targets.into_iter().any(is_outside).then(|| "a url() that leads out of the image".to_owned())
}

fn instruction(node: Node<'_, '_>) -> Finding {
    let name = node.pi().map_or("", |instruction| instruction.target);
    Finding::error(&bimi::B14, format!("the processing instruction {name}"))
        .at(span(node.range()))
        .expected("no style sheets, no instructions")
}

fn is_event(name: &str) -> bool {
    name.len() > 2 && name.get(..2).is_some_and(|on| on.eq_ignore_ascii_case("on"))
}

/// The name at the beginning of an element.
pub(super) fn tag(node: Node<'_, '_>) -> Span {
    let start = node.range().start;
    let text = node.document().input_text().get(start..).unwrap_or_default();
    let length = text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len());
    Span { start, end: start + length }
}

pub(super) fn span(range: std::ops::Range<usize>) -> Span {
    Span { start: range.start, end: range.end }
}

/// The characters of a link that are shown.
const SHOWN: usize = 60;
