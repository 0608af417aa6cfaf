//! Rules of BIMI records and their images.

rules! {
    B01: "one BIMI record stands at the selector's name",
        "draft-brand-indicators §7.2",
        "Several records count as none.";
    B02: "the record is found at the domain, or at its organizational domain",
        "draft-brand-indicators §7.2",
        "Receivers look at the author domain first and then at the organizational domain, nowhere else.";
    B03: "v is the first tag and exactly BIMI1",
        "draft-brand-indicators §4.3",
        "Receivers must not mend a version that is written otherwise.";
    B04: "l is one https URI of an .svg or .svgz file",
        "draft-brand-indicators §4.3",
        "Without it there is no image to show.";
    B05: "a is the https URI of a mark certificate",
        "draft-brand-indicators §4.3, Google 10911027",
        "The large mailbox providers show no logo without one.";
    B06: "avp and lps are of their form",
        "draft-brand-indicators §4.3",
        "A value of another form is ignored.";
    B07: "DMARC enforces at the author and the organizational domain",
        "draft-brand-indicators §7.1",
        "Receivers show no logo for a domain whose policy is none, or quarantine for a part of its mail.";
    B08: "DMARC is not in test mode",
        "RFC 9989 §4.7, draft-brand-indicators §7.1",
        "The draft does not know t=y; receivers may take it for a policy that does not enforce.";
    B09: "the image can be fetched by https as image/svg+xml, and is at most 32 kB",
        "draft-brand-indicators §7.5, Google 10911027",
        "Receivers that cannot fetch it show none, and they stop reading at their limit.";
    B10: "the image is well-formed XML in UTF-8, without a DOCTYPE or entities",
        "SVG Tiny PS",
        "Receivers refuse what a parser of theirs could be attacked with.";
    B11: "the root is svg, version 1.2, baseProfile tiny-ps, with one title as its first child",
        "SVG Tiny PS",
        "Receivers refuse an image that does not declare the profile.";
    B12: "the root has no x, y, overflow, style, event or foreign attribute",
        "SVG Tiny PS",
        "The profile does not have them there.";
    B13: "every element is of the profile, and stands where it has it",
        "SVG Tiny PS",
        "Receivers refuse an image with any other element, and those who issue mark certificates too.";
    B14: "nothing in the image runs, moves, loads or styles; every attribute is of the profile",
        "SVG Tiny PS",
        "A logo is shown inside mail programs: what could act or fetch, and what is not known, is refused.";
    B15: "nothing refers to another element by xlink:href",
        "SVG Tiny PS",
        "Checkers disagree: some accept a reference inside the file, some refuse any.";
    B16: "the image is square, at least 96 pixels, described, on a solid background",
        "Google 10911027",
        "Providers crop it to a circle or a square and show it small.";
    B17: "the mark certificate is trusted, in date, for this domain, and holds the image that is named",
        "Mark Certificate Requirements, draft-fetch-validation-vmc, RFC 9399",
        "Receivers that ask for a mark certificate show no logo with one that does not hold.";
}
