//! Rules of the tracking host and of who may certify it.

rules! {
    T01: "the tracking name is a CNAME that leads to the platform",
        "the platform's need",
        "Links open where the name leads: anywhere else they are dead, and no certificate can be had.";
    T02: "the CNAMEs are one short way",
        "RFC 1034 §3.6.2, RFC 2181 §10.1",
        "Resolvers give up on circles, on chains of more than eight, and on a name with several CNAMEs.";
    T03: "CAA lets one of the platform's authorities certify",
        "RFC 8659 §3",
        "An authority that the nearest CAA records do not name must refuse, and the links stay without a certificate.";
    T04: "CAA can be asked for",
        "RFC 8659 §3, RFC 8659 §5.6",
        "Authorities refuse to certify while the question for CAA fails, even when the answer would be that there is none.";
    T05: "a CAA record is of the grammar, and known to CAs",
        "RFC 8659 §4, RFC 8657",
        "A CA must refuse to issue at a critical record that it does not know, and takes an issue value that it cannot read for a refusal.";
    T06: "signatures of DNSSEC validate",
        "RFC 4035 §5, §5.5",
        "Resolvers that validate answer SERVFAIL: for them, and for authorities, the name does not work at all.";
}
