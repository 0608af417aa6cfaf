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

/// The attributes of SVG Tiny 1.2 that a still image can have, with blanks between.
pub(super) const ATTRIBUTES: &str = "\
    about accent-height alphabetic arabic-form ascent baseProfile bbox cap-height color color- \
    rendering content contentScriptType cx cy d datatype descent direction display display-align \
    editable fill fill-opacity fill-rule focusHighlight focusable font-family font-size font- \
    stretch font-style font-variant font-weight g1 g2 glyph-name gradientTransform gradientUnits \
    hanging height horiz-adv-x horiz-origin-x id ideographic image-rendering k line-increment \
    mathematical nav-down nav-down-left nav-down-right nav-left nav-next nav-prev nav-right nav- \
    up nav-up-left nav-up-right offset origin overline-position overline-thickness panose-1 path \
    pathLength playbackOrder pointer-events points preserveAspectRatio property r rel \
    requiredExtensions requiredFeatures requiredFonts requiredFormats resource rev role rotate \
    rx ry shape-rendering slope snapshotTime solid-color solid-opacity stemh stemv stop-color \
    stop-opacity strikethrough-position strikethrough-thickness stroke stroke-dasharray stroke- \
    dashoffset stroke-linecap stroke-linejoin stroke-miterlimit stroke-opacity stroke-width \
    systemLanguage text-align text-anchor text-rendering timelineBegin transform typeof u1 u2 \
    underline-position underline-thickness unicode unicode-bidi unicode-range units-per-em \
    vector-effect version viewBox viewport-fill viewport-fill-opacity visibility width widths x \
    x-height x1 x2 y y1 y2 zoomAndPan";

/// The namespace of SVG.
pub(super) const SVG: &str = "http://www.w3.org/2000/svg";
/// The namespace of links.
pub(super) const XLINK: &str = "http://www.w3.org/1999/xlink";
/// The namespace of `xml:lang` and its like.
pub(super) const XML: &str = "http://www.w3.org/XML/1998/namespace";
