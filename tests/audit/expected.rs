//! What the command prints for the records that the platform publishes, word for word.

pub(crate) const PUBLISHED: &str = r#"example.com: error (1 error, 3 weaknesses, 4 notes)
nothing stops the platform's mail and links

SPF  example.com TXT
  found     v=spf1 include:spf.aksend.net -all
  in force  mail of the platform passes, after 1 of 10 lookups; 1 at most for other senders
  note    I01  a Sender ID record for pra
          expected  no such record: it can be removed
          why       Sender ID is obsolete and no receiver needs it; the record can be removed, and never counts as a second SPF record. (RFC 4406 §3.1, RFC 6686 §6)
  note    S15  a hard fail for all other senders
          why       Some receivers reject at -all before they look at DKIM and DMARC, and no report tells of it. (RFC 9989 §7.1)

DKIM  ak._domainkey.example.com TXT
  found     v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCldFYh3Rfrmeov+WqYYpwfW2bVUzxXPy9dSVoUCGLKCn+vgY/pdKIIBFitkvZJXGLnHqreqwGzoriEWf9ZRd+cL2LdA4UrDKheMeorBd2NSIqihkTaKz8PA+SIBFxFGm2Z0Krh5ZDF2NtFVhtD4YvqmrFqk2muzZ0tFEko8zP30wIDAQAB
  in force  a usable key: rsa of 1024 bits
  weak    K07  an RSA key of 1024 bits
          expected  2048 bits
          why       Verifiers must not accept less than 1024 bits, need not handle more than 4096, and 1024 is weak by now. (RFC 8301 §3.2)
          who acts  customer
  note    K14  the key that the platform's customers share
          expected  a key of the domain's own, of 2048 bits
          why       A key that many domains share cannot be changed for one of them, and one that the platform does not know signs nothing. (the platform's need)

DomainKeys  _domainkey.example.com TXT
  found     o=-;
  in force  historic: it says nothing about DKIM and can be removed
  note    K17  a DomainKeys policy
          expected  no such record: it can be removed
          why       DomainKeys is historic: the record neither helps nor harms, and says nothing about DKIM. (RFC 4870 §3.2 (Historic))

DMARC  _dmarc.example.com TXT
  found     v=DMARC1; p=reject; sp=reject; mailto:report@example.com
  in force  reject for example.com, reject for subdomains
  error   D05  "mailto:report@example.com" is no tag=value and is discarded
          expected  rua= before the address: no reports are sent as it stands
          why       Receivers discard the segment and go on: what it was meant to say is lost. (RFC 9989 §4.7, §4.8)
          who acts  customer
          publish   _dmarc.example.com TXT v=DMARC1; p=reject; sp=reject; rua=mailto:report@example.com
  weak    D06  no rua
          expected  rua=mailto: and an address
          why       Without rua nobody tells the domain's owner what mail passes and fails. (RFC 9989 §4.7)
          who acts  customer

BIMI  default._bimi.example.com TXT
  found     v=BIMI1; l=https://example.com/bimi/bimi.svg
  in force  the image at https://example.com/bimi/bimi.svg
  weak    B05  no mark certificate: large providers show no logo
          expected  a= and the https URI of a mark certificate
          why       The large mailbox providers show no logo without one. (draft-brand-indicators §4.3, Google 10911027)
          who acts  customer

tracking  trk.example.com CNAME
  found     trk.aksend.net
  in force  leads to trk.aksend.net
"#;
