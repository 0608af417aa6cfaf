//! What stands inside what.

use roxmltree::Node;

use super::judge::{span, tag};
use super::profile::{FONTS, SVG, contents, holds_text, is_element};
use crate::audit::Finding;
use crate::audit::rules::bimi;

/// Judges where an element of the profile stands. What is inside an element that is at fault
/// itself is not told again.
pub(super) fn place(node: Node<'_, '_>) -> Option<Finding> {
    let name = node.tag_name().name();
    let parent = node.parent_element()?.tag_name();
    if parent.namespace() != Some(SVG) || !is_element(parent.name()) {
        return None;
    }
    if !contents(parent.name()).contains(&name) {
        let found = format!("the element {name} inside {}", parent.name());
        let expected = match name {
            "title" => "one title, the first element in svg",
            "desc" | "metadata" => "the element in svg itself",
            "stop" => "the element in a gradient",
            _ => "the element in svg, g or defs",
        };
        return Some(Finding::error(&bimi::B13, found).at(tag(node)).expected(expected));
    }
    (name == FONTS[0]).then(|| {
        Finding::weak(&bimi::B13, "a font, which checkers by the profile's schema refuse")
            .at(tag(node))
            .expected("the letters as paths")
    })
}

/// Judges a text: only some elements hold any.
pub(super) fn text(node: Node<'_, '_>) -> Option<Finding> {
    let parent = node.parent_element()?.tag_name();
    let is_blank = node.text().is_none_or(|text| text.trim_ascii().is_empty());
    let is_ours = parent.namespace() == Some(SVG) && is_element(parent.name());
    if is_blank || !is_ours || holds_text(parent.name()) {
        return None;
    }
    let found = format!("text inside {}", parent.name());
    Some(Finding::error(&bimi::B13, found).at(span(node.range())).expected("text in text elements"))
}
