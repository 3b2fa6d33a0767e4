//! An explanation as people read it: a word for each line, then what it is about.

use std::fmt::{self, Display, Formatter};

use super::target::{Mirror, Target};
use super::{Chosen, Explained};

/// What stands before a line that goes on with the one before.
const GOES_ON: &str = "          ";

impl Display for Explained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "listener  {} ({}) from {}", self.listener, self.protocol, self.from)?;
        if let Some(bound) = &self.bound {
            writeln!(f, "bound     {bound}")?;
        }
        if let Some(tls) = &self.tls {
            writeln!(f, "tls       {tls}")?;
        }
        if let Some((name, is)) = &self.told_by {
            writeln!(f, "service   {}, by {name} {is:?}", self.service)?;
        }
        if let Some(elsewhere) = &self.elsewhere {
            return writeln!(f, "{GOES_ON}{elsewhere}");
        }
        write_list(f, "limit    ", &self.limit)?;
        let missing = if self.has_routes { "" } else { ": missing or refused" };
        writeln!(f, "routes    {}{missing}", self.routes)?;
        for mistake in &self.refused {
            writeln!(f, "refused   {mistake}")?;
        }
        for line in &self.tried {
            writeln!(f, "{GOES_ON}{line}")?;
        }
        self.route.as_ref().map_or(Ok(()), |route| write!(f, "{route}"))
    }
}

impl Display for Chosen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "route     {:?} from {}", self.name, self.from)?;
        if let Some(reason) = &self.misconfigured {
            return writeln!(f, "reply     the route is misconfigured: {reason}");
        }
        for target in &self.to {
            let share = target.weight.map_or_else(String::new, |weight| format!(" ({weight} %)"));
            write_target(f, "cluster  ", target, &share)?;
        }
        if let Some(Mirror { share, to }) = &self.mirror {
            write_target(f, "mirror   ", to, &format!(" ({share})"))?;
        }
        writeln!(f, "timeout   {}", self.timeout)?;
        for (list, place) in [(&self.sets, "requests"), (&self.sets_in_responses, "responses")] {
            for (name, value) in list {
                writeln!(f, "sets      {name} = {value:?} in {place}")?;
            }
        }
        write_list(f, "retries  ", &self.retries)
    }
}

/// Lines, the first of which begins with what they are about.
fn write_list(f: &mut Formatter<'_>, what: &str, lines: &[String]) -> fmt::Result {
    let mut label = what;
    for line in lines {
        writeln!(f, "{label} {line}")?;
        label = &GOES_ON[1..];
    }
    Ok(())
}

fn write_target(f: &mut Formatter<'_>, what: &str, target: &Target, share: &str) -> fmt::Result {
    write!(f, "{what} {}{share}", target.cluster)?;
    match &target.subset {
        Some(subset) => writeln!(f, ", subset {subset}")?,
        None => writeln!(f)?,
    }
    if !target.is_known {
        return writeln!(f, "{GOES_ON}not known");
    }
    if let Some(balancing) = &target.balancing {
        writeln!(f, "{GOES_ON}{balancing}")?;
    }
    for policy in target.tls.iter().chain(&target.judged) {
        writeln!(f, "{GOES_ON}{policy}")?;
    }
    if !target.limits.is_empty() {
        writeln!(f, "{GOES_ON}at most {}", target.limits.join(", "))?;
    }
    for name in &target.dns {
        writeln!(f, "{GOES_ON}DNS {name}")?;
    }
    for endpoint in target.endpoints.iter().flatten() {
        write!(f, "{GOES_ON}{}", endpoint.address)?;
        match endpoint.state.as_slice() {
            [] => writeln!(f)?,
            state => writeln!(f, " {}", state.join(", "))?,
        }
    }
    if target.more_endpoints > 0 {
        writeln!(f, "{GOES_ON}and {} more", target.more_endpoints)?;
    }
    if target.endpoints.as_ref().is_some_and(Vec::is_empty) {
        writeln!(f, "{GOES_ON}no endpoints")?;
    }
    Ok(())
}
