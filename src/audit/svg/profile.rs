//! What the profile has, and what it leaves out on purpose.

/// The elements of the profile.
pub(super) const ELEMENTS: [&str; 24] = [
    "circle",
    "defs",
    "desc",
    "ellipse",
    "font",
    "font-face",
    "g",
    "glyph",
    "hkern",
    "line",
    "linearGradient",
    "metadata",
    "path",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "solidColor",
    "stop",
    "svg",
    "text",
    "textArea",
    "title",
    "use",
];

/// Elements that act, move, load or style, and what to do instead.
pub(super) const BANNED: [(&str, &str); 19] = [
    ("a", "no links"),
    ("animate", "no animation"),
    ("animateColor", "no animation"),
    ("animateMotion", "no animation"),
    ("animateTransform", "no animation"),
    ("clipPath", "the clipped shape itself"),
    ("filter", "no filters"),
    ("foreignObject", "shapes of SVG alone"),
    ("handler", "no scripts"),
    ("image", "shapes, no pictures, not even data: ones"),
    ("listener", "no scripts"),
    ("marker", "the shape itself"),
    ("mask", "the masked shape itself"),
    ("pattern", "the shapes themselves"),
    ("script", "no scripts"),
    ("set", "no animation"),
    ("style", "attributes such as fill on each element"),
    ("switch", "one of the alternatives"),
    ("symbol", "the shapes themselves"),
];

/// Attributes of the full SVG that style or cut, and are not of the profile.
pub(super) const BANNED_ATTRIBUTES: [&str; 6] =
    ["style", "opacity", "clip-rule", "clip-path", "mask", "filter"];

/// Attributes that the root must not have.
pub(super) const NOT_ON_ROOT: [&str; 4] = ["x", "y", "overflow", "style"];

/// The elements of fonts, the font itself first.
pub(super) const FONTS: [&str; 4] = ["font", "font-face", "glyph", "hkern"];

/// Whether an element is of the profile.
pub(super) fn is_element(name: &str) -> bool {
    ELEMENTS.contains(&name)
}

/// What may stand inside an element.
pub(super) fn contents(name: &str) -> &'static [&'static str] {
    match name {
        "svg" => &IN_SVG,
        "defs" | "g" => IN_SVG.split_at(DESCRIBING).1,
        "linearGradient" | "radialGradient" => &["stop"],
        "font" => &["desc", "font-face", "glyph", "hkern"],
        "font-face" | "glyph" | "hkern" => &["desc"],
        _ => &[],
    }
}

/// Whether an element holds text.
pub(super) fn holds_text(name: &str) -> bool {
    matches!(name, "desc" | "metadata" | "text" | "textArea" | "title")
}

/// Whether an element may have an attribute, beside those of the namespace of `xml:lang`.
pub(super) fn has_attribute(element: &str, attribute: &str) -> bool {
    let is_among = |names: &str| names.split_whitespace().any(|name| name == attribute);
    let own = match element {
        "circle" => "cx cy r",
        "desc" | "title" => {
            return is_among(COMMON)
                || is_among(CONDITIONS)
                || is_among(
                    "buffered-rendering display image-rendering shape-rendering text-rendering \
                     viewport-fill viewport-fill-opacity visibility",
                );
        }
        "ellipse" => "cx cy rx ry",
        "line" => "x1 x2 y1 y2",
        "linearGradient" => "gradientUnits x1 x2 y1 y2",
        "metadata" => return is_among(COMMON),
        "path" => "d pathLength",
        "polygon" | "polyline" => "points",
        "radialGradient" => "cx cy gradientUnits r",
        "rect" => "height rx ry width x y",
        "stop" => "offset",
        "svg" => {
            "baseProfile contentScriptType focusable height playbackOrder preserveAspectRatio \
             snapshotTime timelineBegin version viewBox width zoomAndPan"
        }
        "text" => "editable rotate x y",
        "textArea" => "height width x y",
        "use" => "x y",
        name if FONTS.contains(&name) => return is_among(COMMON) || is_among(OF_FONTS),
        _ => "",
    };
    let is_drawn = !matches!(
        element,
        "defs" | "linearGradient" | "radialGradient" | "solidColor" | "stop" | "svg"
    );
    is_among(own)
        || is_among(COMMON)
        || is_among(PAINT)
        || is_drawn && (is_among(CONDITIONS) || attribute == "transform")
}

/// What may stand in the root: what describes the image, then what is drawn or defined.
const IN_SVG: [&str; 19] = [
    "desc",
    "metadata",
    "title",
    "circle",
    "defs",
    "ellipse",
    "font",
    "g",
    "line",
    "linearGradient",
    "path",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "solidColor",
    "text",
    "textArea",
    "use",
];
const DESCRIBING: usize = 3;

/// Attributes of every element, with blanks between, as in the lists below.
const COMMON: &str = "about class content datatype id property rel resource rev role typeof";

/// Attributes that say for whom an element is.
const CONDITIONS: &str = "requiredFonts systemLanguage";

/// Attributes that say how things are painted.
const PAINT: &str = "\
    color color-rendering direction display-align fill fill-opacity fill-rule font-family font-size \
    font-style font-variant font-weight line-increment solid-color solid-opacity stop-color \
    stop-opacity stroke stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin \
    stroke-miterlimit stroke-opacity stroke-width text-align text-anchor unicode-bidi vector-effect";

/// Attributes of fonts and their parts.
const OF_FONTS: &str = "\
    accent-height alphabetic arabic-form ascent bbox cap-height d descent font-family font-stretch \
    font-style font-variant font-weight g1 g2 glyph-name hanging horiz-adv-x horiz-origin \
    horiz-origin-x ideographic k lang mathematical overline-position overline-thickness panose-1 \
    slope stemh stemv strikethrough-position strikethrough-thickness u1 u2 underline-position \
    underline-thickness unicode unicode-range units-per-em widths x-height";

/// The namespace of SVG.
pub(super) const SVG: &str = "http://www.w3.org/2000/svg";
/// The namespace of links.
pub(super) const XLINK: &str = "http://www.w3.org/1999/xlink";
/// The namespace of `xml:lang` and its like.
pub(super) const XML: &str = "http://www.w3.org/XML/1998/namespace";
