//! Rules of SPF and Sender ID records.

rules! {
    S01: "exactly one TXT record of the name is an SPF record",
        "RFC 7208 §3.2, §4.5",
        "With none a receiver gets the result none; with two or more permerror, and mail counts as unauthenticated.";
    S02: "the record begins with its version, in any case, with no blank before it",
        "RFC 7208 §4.5, §12",
        "A record that begins with anything else is not an SPF record, and receivers do not see it.";
    S03: "nothing looks like an SPF record without being one",
        "RFC 7208 §4.5",
        "Receivers ignore it, so what it was meant to allow is not allowed.";
    S04: "the platform's servers may send for the domain",
        "the platform's need",
        "Mail that the platform sends for a domain that does not let it gets no SPF pass, and is filtered or refused.";
    S05: "every term is of the grammar",
        "RFC 7208 §4.6, §12",
        "One fault anywhere, even after all, makes the whole record permerror at every receiver.";
    S06: "a domain ends in a top-level label or in a macro",
        "RFC 7208 §7.1, §12",
        "A domain of another form is a syntax error, which makes the whole record permerror.";
    S07: "at most ten terms cause DNS lookups, those of included records counted",
        "RFC 7208 §4.6.4",
        "The eleventh lookup makes the result permerror, whatever the terms after it say.";
    S08: "the limit of ten lookups leaves a margin",
        "RFC 7208 §4.6.4",
        "Whoever is included can add lookups any day, and the record then fails without having been touched.";
    S09: "at most two lookups find nothing",
        "RFC 7208 §4.6.4",
        "Receivers that hold to the limit answer permerror at the third name that does not exist or has no such record.";
    S10: "a name has at most ten mail exchangers when mx asks for it; ptr uses the first ten names",
        "RFC 7208 §4.6.4",
        "An mx term that would have to look up an eleventh exchanger makes the result permerror.";
    S11: "each included or redirected name has a valid SPF record",
        "RFC 7208 §5.2, §6.1",
        "An included name without a valid record makes the whole result permerror.";
    S12: "no record includes itself, directly or through others",
        "RFC 7208 §4.6.4",
        "A loop runs into the limit of ten lookups, and the result is permerror.";
    S13: "the record does not authorize the whole Internet",
        "RFC 7208 §5.1",
        "Anybody may then send as this domain with an SPF pass.";
    S14: "the record says what holds for all other senders",
        "RFC 7208 §4.7",
        "Without it, or with ?all, mail from anywhere gets neutral, which protects nothing.";
    S15: "a hard fail is meant",
        "RFC 9989 §7.1",
        "Some receivers reject at -all before they look at DKIM and DMARC, and no report tells of it.";
    S16: "redirect stands in a record without all",
        "RFC 7208 §6.1",
        "With an all anywhere in the record redirect is ignored.";
    S17: "redirect and exp stand at most once",
        "RFC 7208 §6",
        "A second one makes the whole record permerror, wherever it stands.";
    S18: "neither ptr nor the macro p is used",
        "RFC 7208 §5.5, §7.2",
        "They are slow and unreliable, and many receivers skip them: should not be published.";
    S19: "macros are of the grammar, and c, r and t stand in explanation texts only",
        "RFC 7208 §7.1, §7.2",
        "A macro error is a syntax error, which makes the whole record permerror.";
    S20: "no record of the type SPF is left",
        "RFC 7208 §3.1",
        "The type 99 was given up: nobody asks for it, and it can be removed.";
    S21: "the record and its neighbours fit a DNS answer",
        "RFC 7208 §3.3, §3.4",
        "Answers that do not fit a UDP packet need TCP, which some receivers and firewalls do not get through.";
    S22: "the record is visible ASCII and spaces",
        "RFC 7208 §3.1, §12",
        "Any other character is a syntax error, which makes the whole record permerror.";
    S23: "nothing stands beside a CNAME",
        "RFC 1034 §3.6.2, RFC 7208 §4.5",
        "A name that is an alias has no records of its own; a resolver that returns both sees two SPF records.";
    S24: "every server of the zone gives the same answer",
        "RFC 1034 §4.2.2",
        "Which answer a receiver gets is chance while they differ.";
    S25: "every term can have the effect that it was written for",
        "RFC 7208 §5.6, §6",
        "What has no effect misleads whoever reads the record, and costs lookups or length.";
    S26: "the SPF record stands at a domain that aligns with the author's",
        "RFC 9989 §4.4.2, §5.1.1",
        "SPF is judged at the domain of the return path: the author domain's record is not asked for, and does not count for DMARC.";
    I01: "no Sender ID record is left",
        "RFC 4406 §3.1, RFC 6686 §6",
        "Sender ID is obsolete and no receiver needs it; the record can be removed, and never counts as a second SPF record.";
    I02: "Sender ID does not stand alone",
        "RFC 6686 §6, RFC 7208 §4.5",
        "Receivers look for v=spf1 only: a domain with spf2.0 alone has no SPF.";
}
