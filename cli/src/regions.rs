//! The fleet as `regions.toml` declares it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use kernel::{Jurisdiction, Mode, RegionCode};
use serde::Deserialize;

/// Name of the file, at the root of a checkout.
pub const FILE: &str = "regions.toml";

/// Every region of the fleet. Exactly one is home, and no region is listed twice.
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
    /// Whose law the tenants' data is under.
    pub jurisdiction: Jurisdiction,
    /// What may leave the region, and who bills its tenants.
    pub mode: Mode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    home: RegionCode,
    #[serde(default)]
    region: Vec<Region>,
}

impl Fleet {
    /// Reads `regions.toml` of a checkout.
    ///
    /// # Errors
    /// When the file is missing or does not describe a fleet; the message names the place and the rule.
    pub fn load(checkout: &Path) -> Result<Self> {
        let path = checkout.join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a fleet", path.display()))
    }

    /// Parses the text of `regions.toml`.
    ///
    /// # Errors
    /// When a field is missing, unknown or invalid, a region is listed twice, or home is not listed.
    pub fn parse(text: &str) -> Result<Self> {
        let document: Document = toml::from_str(text)?;
        let mut seen = BTreeSet::new();
        for region in &document.region {
            if !seen.insert(region.code.as_str()) {
                bail!("region {} is listed twice", region.code);
            }
        }
        let Some(home) = document.region.iter().find(|r| r.code == document.home) else {
            bail!("home = \"{}\" has no [[region]] of that code", document.home);
        };
        if home.mode == Mode::Sovereign {
            bail!("home region {} cannot be sovereign: it holds the totals of others", home.code);
        }
        Ok(Self { home: document.home, regions: document.region })
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
        let fleet = Fleet::load(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
        assert_eq!(fleet.codes(), "us-east-1,eu-central-1,ap-south-1");
        assert!(fleet.is_home("us-east-1") && !fleet.is_home("eu-central-1"));
    }

    #[track_caller]
    fn check(text: &str, said: &str) {
        let error = format!("{:#}", Fleet::parse(text).unwrap_err());
        assert!(error.contains(said), "{error}");
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
        check(&format!("{eu}mode = \"shared\"\n{EU}mode = \"shared\""), "listed twice");
        check("home = \"Frankfurt\"", "region");
    }
}
