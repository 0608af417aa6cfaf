//! Whom a mark certificate is for, and what kind of mark it vouches for.

use x509_parser::x509::X509Name;

use crate::audit::Finding;
use crate::audit::rules::bimi::B17;
use crate::clock::Timestamp;

/// What the subject of a certificate lacks, or has too much of.
pub(super) fn judge(subject: &X509Name<'_>, issued: Timestamp) -> Vec<Finding> {
    let fields: Vec<(String, String)> = subject
        .iter_attributes()
        .take(FIELDS)
        .map(|field| {
            let value = String::from_utf8_lossy(field.as_slice()).into_owned();
            (field.attr_type().to_id_string(), value)
        })
        .collect();
    let value = |name: &str| {
        let found = fields.iter().find(|(id, _)| id == name);
        found.map(|(_, value)| value.as_str())
    };
    let Some(told) = value(MARK_TYPE.0) else {
        let finding = Finding::error(&B17, "a certificate that does not say what mark it is for");
        return vec![finding.expected(format!("a markType: {}", known()))];
    };
    let mut findings = Vec::new();
    let Some(mark) = MARKS.iter().find(|mark| mark.name == told) else {
        let finding = Finding::weak(&B17, format!("the mark type \"{told}\", which is not known"));
        return vec![finding.expected(known())];
    };
    let missing: Vec<_> = ALWAYS
        .iter()
        .chain(mark.needs)
        .filter(|(id, _)| value(id).is_none())
        .map(|(_, name)| *name)
        .collect();
    if !missing.is_empty() {
        let found = format!("a subject without {}", missing.join(", "));
        findings.push(Finding::weak(&B17, found).expected(format!("what a {told} needs")));
    }
    if value(LOCALITY).is_none() && value(STATE).is_none() {
        let finding = Finding::weak(&B17, "a subject without a locality and without a state");
        findings.push(finding.expected("one of them"));
    }
    if value(JURISDICTION_LOCALITY).is_some() && value(JURISDICTION_STATE).is_none() {
        let finding = Finding::weak(&B17, "a jurisdiction with a locality and without a state");
        findings.push(finding.expected("both, or the country alone"));
    }
    let foreign: Vec<_> = MARKS
        .iter()
        .flat_map(|other| other.needs.iter().chain(other.may))
        .filter(|(id, _)| !mark.has(id) && value(id).is_some())
        .map(|(_, name)| *name)
        .collect();
    if !foreign.is_empty() {
        let found = format!("a {told} with {}", foreign.join(", "));
        findings.push(Finding::weak(&B17, found).expected("only what is of its type"));
    }
    if told == PRIOR_USE && issued >= SOURCE_SINCE && value(SOURCE.0).is_none() {
        let finding = Finding::error(&B17, "a Prior Use Mark that does not say where it was used");
        findings.push(finding.expected("a priorUseMarkSourceURL, as since 2025-04-15"));
    }
    findings
}

/// A type of mark, and the fields of the subject that are its own.
struct Mark {
    name: &'static str,
    needs: &'static [Field],
    may: &'static [Field],
}

/// The object identifier of a field, and its name.
type Field = (&'static str, &'static str);

impl Mark {
    fn has(&self, id: &str) -> bool {
        self.needs.iter().chain(self.may).any(|(own, _)| *own == id)
    }
}

fn known() -> String {
    MARKS.map(|mark| mark.name).join(", ")
}

/// Fields of a subject that are read.
const FIELDS: usize = 100;
/// Since when a Prior Use Mark says where it was used: 2025-04-15.
const SOURCE_SINCE: Timestamp = Timestamp::from_seconds(1_744_675_200);
const PRIOR_USE: &str = "Prior Use Mark";
const LOCALITY: &str = "2.5.4.7";
const STATE: &str = "2.5.4.8";
const JURISDICTION_LOCALITY: &str = "1.3.6.1.4.1.311.60.2.1.1";
const JURISDICTION_STATE: &str = "1.3.6.1.4.1.311.60.2.1.2";
const MARK_TYPE: Field = ("1.3.6.1.4.1.53087.1.13", "markType");
const SOURCE: Field = ("1.3.6.1.4.1.53087.5.1", "priorUseMarkSourceURL");
const OFFICE: Field = ("1.3.6.1.4.1.53087.1.2", "trademarkOfficeName");
const TRADEMARK: [Field; 2] = [
    ("1.3.6.1.4.1.53087.1.3", "trademarkCountryOrRegionName"),
    ("1.3.6.1.4.1.53087.1.4", "trademarkIdentifier"),
];
const ALWAYS: [Field; 6] = [
    ("2.5.4.10", "organizationName"),
    ("2.5.4.9", "streetAddress"),
    ("2.5.4.6", "countryName"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.5", "serialNumber"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionOfIncorporationCountryName"),
];
const MARKS: [Mark; 5] = [
    Mark { name: "Registered Mark", needs: &TRADEMARK, may: &[OFFICE] },
    Mark {
        name: "Government Mark",
        needs: &[
            ("1.3.6.1.4.1.53087.3.2", "statuteCountryName"),
            ("1.3.6.1.4.1.53087.3.5", "statuteCitation"),
        ],
        may: &[
            ("1.3.6.1.4.1.53087.3.3", "statuteStateOrProvinceName"),
            ("1.3.6.1.4.1.53087.3.4", "statuteLocalityName"),
            ("1.3.6.1.4.1.53087.3.6", "statuteURL"),
        ],
    },
    Mark { name: PRIOR_USE, needs: &[], may: &[SOURCE] },
    Mark { name: "Modified Registered Mark", needs: &TRADEMARK, may: &[OFFICE] },
    Mark {
        name: "Pending Registration Mark",
        needs: &[],
        may: &[TRADEMARK[0], TRADEMARK[1], OFFICE],
    },
];
