//! Who of a cluster's endpoints is out, why, and until when: plain state, which decides by the times that it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Health, HealthCheck, OutlierDetection};

/// What is known of each endpoint, by its address.
#[derive(Debug, Default)]
pub struct Ledger {
    members: BTreeMap<SocketAddr, Member>,
}

/// What is known of one endpoint.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// Since when it gets no requests for those that failed.
    pub ejection: Option<Ejection>,
    /// Why it gets no requests: its pings fail.
    pub ailment: Option<String>,
    /// How often it was ejected.
    pub ejections: u64,
    /// How often it would have been, had not too many others been.
    pub spared: u64,
    /// Pings that were answered, and those that were not.
    pub pings: [u64; 2],
    /// For how many base times it was ejected last, less what it has made good.
    times: u32,
    /// When it came back last.
    back: Option<Instant>,
    /// Pings in a row that say the contrary of what it is held for.
    contrary: u32,
}

/// Why an endpoint is ejected, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ejection {
    /// Why.
    pub why: String,
    /// When it comes back.
    pub until: Instant,
}

/// What became of an endpoint whose requests fail.
#[derive(Debug, PartialEq, Eq)]
pub enum Sentence {
    /// It is ejected for so long.
    Ejected(Duration),
    /// It stays: as many others are ejected as may be.
    Spared,
    /// It is out already, or no longer there.
    Moot,
}

/// What a ping has changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its endpoint gets no more requests.
    Worse,
    /// It gets requests again.
    Better,
}

impl Ledger {
    /// All of them.
    pub fn members(&self) -> &BTreeMap<SocketAddr, Member> {
        &self.members
    }

    /// Takes other endpoints, and forgets what they are judged by no longer. Those that stay are held for what they were.
    pub fn enter(&mut self, addresses: impl Iterator<Item = SocketAddr>, policy: &Health, now: Instant) {
        let mut old = std::mem::take(&mut self.members);
        for address in addresses {
            let mut member = old.remove(&address).unwrap_or_default();
            if policy.outliers.is_none() && member.ejection.take().is_some() {
                member.back = Some(now);
            }
            if policy.checks.is_none() {
                (member.ailment, member.contrary) = (None, 0);
            }
            self.members.insert(address, member);
        }
    }

    /// Ejects an endpoint, if it may be.
    pub fn eject(
        &mut self,
        address: SocketAddr,
        why: String,
        policy: &OutlierDetection,
        now: Instant,
    ) -> Sentence {
        let most = most_ejected(self.members.len(), policy);
        let ejected = self.members.values().filter(|member| member.ejection.is_some()).count();
        let Some(member) = self.members.get_mut(&address).filter(|member| !member.is_out()) else {
            return Sentence::Moot;
        };
        if ejected >= most {
            member.spared += 1;
            return Sentence::Spared;
        }
        let longest = policy.max_ejection_time.max(policy.base_ejection_time);
        let time =
            |times| policy.base_ejection_time.checked_mul(times).map_or(longest, |time| time.min(longest));
        let before = member.times_left(policy.interval, now);
        // Beyond the longest time nothing is added that would have to be made good.
        member.times = if before > 0 && time(before) == longest { before } else { before + 1 };
        member.ejections += 1;
        let time = time(member.times);
        member.ejection = Some(Ejection { why, until: now + time });
        Sentence::Ejected(time)
    }

    /// Takes those back whose time is over.
    pub fn settle(&mut self, now: Instant) -> Vec<SocketAddr> {
        let mut back = Vec::new();
        for (address, member) in &mut self.members {
            if let Some(ejection) = member.ejection.take_if(|ejection| ejection.until <= now) {
                member.back = Some(ejection.until);
                back.push(*address);
            }
        }
        back
    }

    /// When the next one is to be taken back.
    pub fn next_return(&self) -> Option<Instant> {
        self.members.values().filter_map(|member| Some(member.ejection.as_ref()?.until)).min()
    }

    /// Takes note of a ping; `Err` says why it failed.
    pub fn pinged(
        &mut self,
        address: SocketAddr,
        result: Result<(), &str>,
        policy: &HealthCheck,
    ) -> Option<Turn> {
        let member = self.members.get_mut(&address)?;
        member.pings[usize::from(result.is_err())] += 1;
        let is_contrary = result.is_err() != member.ailment.is_some();
        member.contrary = if is_contrary { member.contrary + 1 } else { 0 };
        match (result, &mut member.ailment) {
            (Err(why), None) if member.contrary >= policy.unhealthy_threshold => {
                member.contrary = 0;
                member.ailment = Some(ailment(why));
                Some(Turn::Worse)
            }
            (Ok(()), Some(_)) if member.contrary >= policy.healthy_threshold => {
                member.contrary = 0;
                member.ailment = None;
                Some(Turn::Better)
            }
            (Err(why), Some(known)) => {
                *known = ailment(why);
                None
            }
            _ => None,
        }
    }

    /// Whether so few are healthy that all get requests.
    pub fn panics(&self, threshold: u32) -> bool {
        let healthy = self.members.values().filter(|member| !member.is_out()).count();
        healthy as u64 * 100 < self.members.len() as u64 * u64::from(threshold)
    }
}

fn ailment(why: &str) -> String {
    format!("its last ping failed: {why}")
}

impl Member {
    /// Whether it gets no requests.
    pub fn is_out(&self) -> bool {
        self.ejection.is_some() || self.ailment.is_some()
    }

    /// Why it gets no requests; `None`: it gets some.
    pub fn why(&self, now: Instant) -> Option<String> {
        let ejected = self.ejection.as_ref().map(|ejection| {
            let left = ejection.until.saturating_duration_since(now).as_secs_f64();
            format!("ejected for another {left:.1} s after {}", ejection.why)
        });
        let reasons: Vec<String> = ejected.into_iter().chain(self.ailment.clone()).collect();
        (!reasons.is_empty()).then(|| reasons.join(", and "))
    }

    /// Base times that are left of its last ejection: one less for each interval that it has stayed since.
    fn times_left(&self, interval: Duration, now: Instant) -> u32 {
        let Some(back) = self.back else { return 0 };
        let stayed = now.saturating_duration_since(back).as_nanos();
        let good = stayed.checked_div(interval.as_nanos()).unwrap_or(u128::MAX);
        self.times.saturating_sub(u32::try_from(good).unwrap_or(u32::MAX))
    }
}

/// How many of `count` endpoints may be ejected at once.
fn most_ejected(count: usize, policy: &OutlierDetection) -> usize {
    let share = (count as u64 * u64::from(policy.max_ejection_percent) / 100) as usize;
    share.max(usize::from(policy.always_eject_one))
}
