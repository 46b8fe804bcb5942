//! The fleet as declared in `regions.toml`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use kernel::{Jurisdiction, Location, Mode, RegionCode, RegionName};
use serde::{Deserialize, Deserializer};

/// The file's name, at the root of a checkout.
pub const FILE: &str = "regions.toml";

/// All regions of the fleet. Exactly one is home, and no region is listed twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    home: RegionCode,
    regions: Vec<Region>,
}

/// One region of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The AWS region.
    pub code: RegionCode,
    /// The name that people see when they choose a region; by default its code.
    pub name: Option<RegionName>,
    /// The jurisdiction that the tenants' data is under.
    pub jurisdiction: Jurisdiction,
    /// What may leave the region, and who bills its tenants.
    pub mode: Mode,
    /// The location, for choosing the nearest region.
    #[serde(default, deserialize_with = "degrees")]
    pub location: Option<Location>,
    /// How many tenants home may send to the region; `None` for any number.
    pub capacity: Option<u64>,
    /// Whether the region accepts sign-ups.
    #[serde(default = "yes")]
    pub accepts_new_tenants: bool,
    /// How its tenants' resources are provisioned.
    #[serde(default)]
    pub provisioning: Provisioning,
}

/// How a region's tenants' resources are provisioned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provisioning {
    /// Tenants need no resources of their own.
    #[default]
    Auto,
    /// By the application plane.
    External,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    home: RegionCode,
    #[serde(default)]
    region: Vec<Region>,
}

/// Reads a location such as `50.11,8.68`, in degrees.
fn degrees<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Location>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

const fn yes() -> bool {
    true
}

impl Region {
    /// Whether the application plane provisions its tenants' resources.
    pub fn is_provisioned(&self) -> bool {
        self.provisioning == Provisioning::External
    }

    /// Its values for the template's parameters. `public_url` is its API's address, empty for the
    /// address that API Gateway assigns.
    pub fn parameters(&self, public_url: String) -> [(&'static str, String); 7] {
        let degrees = |millidegrees: i32| f64::from(millidegrees) / 1000.0;
        let place = |place: Location| {
            format!(
                "{},{}",
                degrees(place.latitude_millidegrees),
                degrees(place.longitude_millidegrees)
            )
        };
        [
            (
                "RegionName",
                self.name
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            ),
            ("Jurisdiction", self.jurisdiction.to_string()),
            ("AcceptsNewTenants", self.accepts_new_tenants.to_string()),
            (
                "CapacityTenants",
                self.capacity.unwrap_or_default().to_string(),
            ),
            (
                "RegionLocation",
                self.location.map(place).unwrap_or_default(),
            ),
            ("PublicUrl", public_url),
            (
                "ProvisioningMode",
                if self.is_provisioned() {
                    "external"
                } else {
                    "auto"
                }
                .to_owned(),
            ),
        ]
    }
}

impl Fleet {
    /// Reads `regions.toml` of a checkout.
    ///
    /// # Errors
    /// When the file is missing or invalid; the message names the position and the rule that it
    /// breaks.
    pub fn load(checkout: &Path) -> Result<Self> {
        let path = checkout.join(FILE);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a fleet", path.display()))
    }

    /// Parses the text of `regions.toml`.
    ///
    /// # Errors
    /// When a field is missing, unknown or invalid, a region is listed twice, or home is not
    /// listed.
    pub fn parse(text: &str) -> Result<Self> {
        let document: Document = toml::from_str(text)?;
        let mut seen = BTreeSet::new();
        for region in &document.region {
            if !seen.insert(region.code.as_str()) {
                bail!("region {} is listed twice", region.code);
            }
        }
        let Some(home) = document.region.iter().find(|r| r.code == document.home) else {
            bail!(
                "home = \"{}\" has no [[region]] of that code",
                document.home
            );
        };
        if let Some(region) = document
            .region
            .iter()
            .find(|region| region.capacity == Some(0))
        {
            bail!(
                "capacity = 0 of region {}: to close it, set accepts_new_tenants = false",
                region.code
            );
        }
        if home.mode == Mode::Sovereign {
            bail!(
                "home region {} cannot be sovereign: it stores the totals of other regions",
                home.code
            );
        }
        Ok(Self {
            home: document.home,
            regions: document.region,
        })
    }

    /// The region that also runs the central functions.
    pub const fn home(&self) -> &RegionCode {
        &self.home
    }

    /// Whether a region is the home region.
    pub fn is_home(&self, code: &str) -> bool {
        self.home.as_str() == code
    }

    /// The regions, in the order of the file.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The codes of all regions, separated by commas: a parameter of the template.
    pub fn codes(&self) -> String {
        let codes: Vec<&str> = self.regions.iter().map(|r| r.code.as_str()).collect();
        codes.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EU: &str = "[[region]]\ncode = \"eu-central-1\"\njurisdiction = \"eu\"\n";

    #[test]
    fn the_fleet_of_the_repository_is_valid() {
        let fleet = Fleet::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
        assert_eq!(fleet.codes(), "us-east-1,eu-central-1,ap-south-1,us-west-2");
        assert!(fleet.is_home("us-east-1") && !fleet.is_home("eu-central-1"));
        for region in fleet.regions() {
            assert!(
                region.name.is_some() && region.location.is_some() && region.accepts_new_tenants,
                "{region:?}"
            );
        }
    }

    #[test]
    fn a_region_becomes_parameters_of_the_template() {
        let values = |text: &str| {
            let fleet = Fleet::parse(&format!(
                "home = \"eu-central-1\"\n{EU}mode = \"shared\"\n{text}"
            ))
            .unwrap();
            fleet.regions()[0]
                .parameters("http://127.0.0.1:20003".to_owned())
                .map(|(_, value)| value)
                .join(" | ")
        };
        assert_eq!(
            values(""),
            " | eu | true | 0 |  | http://127.0.0.1:20003 | auto"
        );
        let all = "name = \"Europe (Frankfurt)\"\nlocation = \"50.11, -8.005\"\ncapacity = 12\n\
                   accepts_new_tenants = false\nprovisioning = \"external\"\n";
        let wanted = "Europe (Frankfurt) | eu | false | 12 | 50.11,-8.005 | http://127.0.0.1:20003 | external";
        assert_eq!(values(all), wanted);
    }

    #[track_caller]
    fn check(text: &str, reason: &str) {
        let error = format!("{:#}", Fleet::parse(text).unwrap_err());
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn a_bad_fleet_is_refused_with_its_reason() {
        let eu = format!("home = \"eu-central-1\"\n{EU}");
        check("", "home");
        check("home = \"eu-central-1\"", "has no [[region]]");
        check(&eu, "mode");
        check(&format!("{eu}mode = \"private\""), "private");
        check(&format!("{eu}mode = \"sovereign\""), "cannot be sovereign");
        check(&format!("{eu}mode = \"shared\"\ncolour = 1"), "colour");
        check(
            &format!("{eu}mode = \"shared\"\n{EU}mode = \"shared\""),
            "listed twice",
        );
        check(
            &format!("{eu}mode = \"shared\"\nname = \"<b>Frankfurt</b>\""),
            "region name",
        );
        check(
            &format!("{eu}mode = \"shared\"\nlocation = \"91,0\""),
            "latitude",
        );
        check(&format!("{eu}mode = \"shared\"\ncapacity = -1"), "capacity");
        check(
            &format!("{eu}mode = \"shared\"\ncapacity = 0"),
            "accepts_new_tenants = false",
        );
        check(
            &format!("{eu}mode = \"shared\"\nprovisioning = \"manual\""),
            "manual",
        );
        check("home = \"Frankfurt\"", "region");
    }
}
