//! Chooses the ports of one checkout's local stack.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;

use anyhow::{Result, bail};
use deployment::file::write_json;
use deployment::regions::Fleet;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::layout::{Layout, read_json};

/// Where the search for free ports starts: below the ephemeral ports that systems use for outgoing
/// connections.
const FIRST: u16 = 20_000;
/// The number of starting points; the checkout's path selects one.
const CHECKOUTS: u16 = 100;
/// The distance between starting points, in ports. One stack uses far fewer.
const SPACING: u16 = 100;

/// The ports of the whole stack.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Ports {
    /// The control API of links and faults.
    pub control: u16,
    /// The gateway that serves tenants' host names.
    #[serde(default)]
    pub gateway: u16,
    /// The ports of each region.
    pub regions: BTreeMap<String, RegionPorts>,
}

/// The ports of one region.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct RegionPorts {
    /// The emulator.
    pub emulator: u16,
    /// The proxy in front of it, which functions, tests and people call as AWS.
    pub proxy: u16,
    /// The regional HTTP API.
    pub api: u16,
    /// The operator HTTP API, in regions that have one.
    pub operator_api: u16,
    /// The public HTTP API of the home region.
    #[serde(default)]
    pub home_api: u16,
}

impl Ports {
    /// Chooses a checkout's ports: those of its previous run where they are still free, else the
    /// next free ones.
    ///
    /// `running` are ports that our own processes hold now; `base` is the port where the search
    /// starts.
    ///
    /// # Errors
    /// When no port is free.
    pub fn choose(
        layout: &Layout,
        fleet: &Fleet,
        base: Option<u16>,
        running: &BTreeSet<u16>,
    ) -> Result<Self> {
        let before: Option<Self> = read_json(&layout.ports())?;
        let mut chooser = Chooser {
            next: base.unwrap_or_else(|| starting_point(&layout.checkout().to_string_lossy())),
            taken: before.iter().flat_map(Self::all).collect(),
            running,
        };
        let control = chooser.keep_or_next(before.as_ref().map(|ports| ports.control))?;
        let gateway = before
            .as_ref()
            .map(|ports| ports.gateway)
            .filter(|port| *port > 0);
        let gateway = chooser.keep_or_next(gateway)?;
        let mut regions = BTreeMap::new();
        for region in fleet.regions() {
            let code = region.code.as_str();
            let old = before.as_ref().and_then(|ports| ports.regions.get(code));
            let ports = RegionPorts {
                emulator: chooser.keep_or_next(old.map(|ports| ports.emulator))?,
                proxy: chooser.keep_or_next(old.map(|ports| ports.proxy))?,
                api: chooser.keep_or_next(old.map(|ports| ports.api))?,
                operator_api: chooser.keep_or_next(old.map(|ports| ports.operator_api))?,
                home_api: chooser
                    .keep_or_next(old.map(|ports| ports.home_api).filter(|port| *port > 0))?,
            };
            regions.insert(code.to_owned(), ports);
        }
        let chosen = Self {
            control,
            gateway,
            regions,
        };
        if before.as_ref() != Some(&chosen) {
            write_json(&layout.ports(), &chosen)?;
        }
        Ok(chosen)
    }

    /// The ports of the previous run; `None` before the first.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn load(layout: &Layout) -> Result<Option<Self>> {
        read_json(&layout.ports())
    }

    fn all(&self) -> Vec<u16> {
        let of_regions = self.regions.values().flat_map(RegionPorts::all);
        of_regions.chain([self.control, self.gateway]).collect()
    }

    /// The ports that the serve process listens on.
    pub fn served(&self) -> Vec<u16> {
        let of_regions = self
            .regions
            .values()
            .flat_map(|r| [r.proxy, r.api, r.operator_api, r.home_api]);
        of_regions.chain([self.control, self.gateway]).collect()
    }
}

impl RegionPorts {
    const fn all(&self) -> [u16; 5] {
        [
            self.emulator,
            self.proxy,
            self.api,
            self.operator_api,
            self.home_api,
        ]
    }
}

struct Chooser<'a> {
    next: u16,
    taken: BTreeSet<u16>,
    running: &'a BTreeSet<u16>,
}

impl Chooser<'_> {
    fn keep_or_next(&mut self, old: Option<u16>) -> Result<u16> {
        if let Some(port) = old
            && (self.running.contains(&port) || is_free(port))
        {
            return Ok(port);
        }
        while self.next < u16::MAX {
            let port = self.next;
            self.next += 1;
            if self.taken.insert(port) && is_free(port) {
                return Ok(port);
            }
        }
        bail!("no free port: choose where to look with --port-base");
    }
}

/// Whether no program listens on a port of this machine.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn starting_point(checkout: &str) -> u16 {
    let digest = Sha256::digest(checkout.as_bytes());
    let number = u16::from_be_bytes([digest[0], digest[1]]);
    FIRST + number % CHECKOUTS * SPACING
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: &str = "home = \"us-east-1\"\n[[region]]\ncode = \"us-east-1\"\njurisdiction = \"us\"\nmode = \"shared\"\n";

    #[test]
    fn ports_are_stable_and_skip_those_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path()).unwrap();
        let fleet = Fleet::parse(FLEET).unwrap();
        let none = BTreeSet::new();
        let first = Ports::choose(&layout, &fleet, Some(47_900), &none).unwrap();
        assert_eq!(
            first,
            Ports::choose(&layout, &fleet, Some(47_900), &none).unwrap()
        );

        let _other = TcpListener::bind(("127.0.0.1", first.control)).unwrap();
        let held = BTreeSet::from([first.control]);
        assert_eq!(
            first,
            Ports::choose(&layout, &fleet, Some(47_900), &held).unwrap()
        );
        let second = Ports::choose(&layout, &fleet, Some(47_900), &none).unwrap();
        assert_ne!(first.control, second.control);
        assert_eq!(first.gateway, second.gateway);
        assert_eq!(first.regions, second.regions);
        assert!(!first.all().contains(&second.control));
    }

    #[test]
    fn checkouts_have_different_starting_points() {
        assert_ne!(
            starting_point("/home/a/meridian"),
            starting_point("/home/b/meridian")
        );
        assert!(starting_point("/x") < 32_768);
    }
}
