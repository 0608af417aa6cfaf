//! The header fields that an event keeps, raw and bounded: what later tells machines from people.

/// Their names in lower case, in the order in which they are written. Nothing else of a request's
/// header is kept but the user agent, the referer and the languages.
pub const KEPT_HEADERS: [&str; 13] = [
    "purpose",
    "sec-purpose",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-user",
    "sec-gpc",
    "dnt",
    "via",
    "x-requested-with",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
];
