//! Rules of DKIM key records and of the policies that went before them.

rules! {
    K01: "exactly one TXT record stands at the selector's own name",
        "RFC 6376 §3.6.2.2",
        "Without a record no signature verifies; with several the result is undefined.";
    K02: "a CNAME at the selector's name leads to the key",
        "RFC 6376 §3.6.2",
        "A verifier follows the CNAME, and finds no key where it leads nowhere.";
    K03: "the record is one list of tag=value, joined of its strings with nothing between",
        "RFC 6376 §3.2, §3.6.2.2",
        "What a panel or a careless paste added becomes part of a value, and signatures fail.";
    K04: "v, when present, is the first tag and exactly DKIM1",
        "RFC 6376 §3.6.1",
        "A record with another version is ignored by verifiers.";
    K05: "p holds a key",
        "RFC 6376 §3.6.1",
        "A record without p is no key; an empty p says that the key is revoked.";
    K06: "p is the base64 form of one public key",
        "RFC 6376 §3.6.1",
        "A key that cannot be decoded verifies no signature.";
    K07: "an RSA key has 2048 bits, and no more than 4096",
        "RFC 8301 §3.2",
        "Verifiers must not accept less than 1024 bits, need not handle more than 4096, and 1024 is weak by now.";
    K08: "the key is of a type that verifiers know, and of its form",
        "RFC 6376 §3.6.1, RFC 8463 §4.2",
        "Verifiers ignore a key of a type that they do not know; not all of them know Ed25519.";
    K09: "sha256 is allowed",
        "RFC 8301 §3.1",
        "Signatures with sha1 must not be verified, so a key for sha1 alone verifies nothing.";
    K10: "the key may be used for e-mail",
        "RFC 6376 §3.6.1",
        "A verifier ignores a key whose s names neither e-mail nor every service.";
    K11: "the key is not in test mode",
        "RFC 6376 §3.6.1",
        "Verifiers treat mail signed under t=y no better than unsigned mail.";
    K12: "t=s goes with signatures whose i is the domain itself",
        "RFC 6376 §3.6.1",
        "Under t=s a signature whose i names a subdomain does not verify.";
    K13: "the published key is the one that signs",
        "the platform's need",
        "Signatures made with another key do not verify.";
    K14: "the key is the domain's own",
        "the platform's need",
        "A key that many domains share cannot be changed for one of them, and one that the platform does not know signs nothing.";
    K15: "the key stands at its own name and nowhere else",
        "RFC 6376 §3.6.2.1",
        "Verifiers ask at the selector's name below _domainkey only; panels that add the domain once more put it elsewhere.";
    K16: "no wildcard answers for selectors",
        "RFC 6376 §3.6.2.1, RFC 4592",
        "A wildcard answers for every selector that nobody set up, with what is no key.";
    K17: "no DomainKeys policy is left",
        "RFC 4870 §3.2 (Historic)",
        "DomainKeys is historic: the record neither helps nor harms, and says nothing about DKIM.";
    K18: "no ADSP record is left",
        "RFC 5617 §4 (Historic)",
        "ADSP is historic and no receiver looks for it; DMARC took its place.";
}
