//! Rules of DMARC policy records, of where they are found, and of report destinations.

rules! {
    D01: "a policy is found for the domain",
        "RFC 9989 §4.10",
        "Without a record at the domain, its organizational domain or its public suffix DMARC does not apply.";
    D02: "a name has one DMARC record",
        "RFC 9989 §4.10",
        "Several records at one name are all discarded.";
    D03: "v is the first tag and exactly DMARC1",
        "RFC 9989 §4.7, §4.8",
        "A record that does not begin so is ignored as a whole.";
    D04: "p is valid, and so are sp and np where they stand",
        "RFC 9989 §4.10.1",
        "One invalid policy turns the record into p=none when it has a valid rua, and into no DMARC at all when it has none.";
    D05: "every segment is tag=value",
        "RFC 9989 §4.7, §4.8",
        "Receivers discard the segment and go on: what it was meant to say is lost.";
    D06: "aggregate reports are asked for",
        "RFC 9989 §4.7",
        "Without rua nobody tells the domain's owner what mail passes and fails.";
    D07: "report addresses are URIs that receivers send to",
        "RFC 9989 §4.7, §4.8",
        "Receivers ignore an address of another form, and its reports are lost.";
    D08: "another domain agrees to get this domain's reports",
        "RFC 9990 §4",
        "Without its agreement receivers must ignore the address.";
    D09: "the policy asks for something",
        "RFC 9989 §5.1.5",
        "p=none meets what large receivers ask of bulk senders, but protects nobody from forgery.";
    D10: "the policy is not in test mode",
        "RFC 9989 §4.7",
        "t=y lowers the policy by one level.";
    D11: "subdomains are not weaker than the domain, and sp stands where it is read",
        "RFC 9989 §4.7",
        "Forgers take the subdomain that the weaker policy leaves open.";
    D12: "subdomains that do not exist are covered",
        "RFC 9989 §4.7",
        "np can ask for more there, where no mail of the domain's own can come from.";
    D13: "psd stands on public suffixes only, or where an organization is to be split",
        "RFC 9989 §4.7, §5.2",
        "psd moves the organizational domain, and alignment with it.";
    D14: "no removed tag is left",
        "RFC 9989 §A.6, §C.5.2",
        "pct, rf and ri are no longer of DMARC; older receivers may still honour pct.";
    D15: "every tag is known, and stands once",
        "RFC 9989 §4.7, RFC 6376 §3.2",
        "Unknown tags are ignored; a tag that stands twice makes a tag list invalid.";
    D16: "adkim and aspf are r or s",
        "RFC 9989 §4.4, §4.8",
        "Another value is read as r, and what was meant is lost; s asks for identical domains.";
    D17: "fo says what failure reports to send, beside a ruf",
        "RFC 9989 §4.7",
        "Without ruf it is ignored, and 0 and 1 exclude each other.";
    D18: "the record stands at _dmarc, and nothing else answers there",
        "RFC 9989 §4.5",
        "Receivers ask at _dmarc only.";
    D19: "nothing else stands at _dmarc",
        "RFC 9989 §4.10",
        "Receivers discard a TXT record that is none of DMARC; it does no harm and no good.";
    D20: "the author domain has at most eight labels",
        "RFC 9989 §4.10, §5.1.8",
        "Longer names are shortened by the walk, which skips the names in between.";
}
