//! The lines of the table: medians, spread, ratio to a reference, goal.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

/// The head of the table.
pub const HEAD: &str = "| measured | median | least .. most | runs | against | ratio | goal | met |\n\
                        |---|---:|---:|---:|---|---:|---:|---|";

/// The runs of one measurement, in some unit.
#[derive(Clone, Debug)]
pub struct Runs {
    sorted: Vec<f64>,
    unit: &'static str,
}

impl Runs {
    pub fn new(unit: &'static str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { sorted: values, unit }
    }

    pub fn times(times: &[Duration]) -> Self {
        Self::new("ms", times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }

    /// Processor time, which does not grow when others use the machine too.
    pub fn processor(times: &[Duration]) -> Self {
        Self { unit: "CPU ms", ..Self::times(times) }
    }

    pub fn median(&self) -> f64 {
        self.sorted.get(self.sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    what: String,
    runs: Runs,
    against: String,
    ratio: Option<f64>,
    goal: Option<Goal>,
}

/// What has to stay under a bound, or over it.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Median(f64),
    Ratio(f64),
    RatioOver(f64),
}

impl Line {
    pub fn new(what: impl Into<String>, runs: Runs) -> Self {
        Self { what: what.into(), runs, against: String::new(), ratio: None, goal: None }
    }

    /// Compares with what was measured in the same run.
    pub fn against(mut self, what: &str, reference: &Runs) -> Self {
        self.against = format!("{what} ({})", number(reference.median(), reference.unit));
        self.ratio = Some(self.runs.median() / reference.median());
        self
    }

    /// Compares with what was measured of the original, elsewhere and before.
    pub fn original(mut self, least: f64, most: f64) -> Self {
        self.against = format!("the original ({least:.0} .. {most:.0} {})", self.runs.unit);
        self.ratio = Some(self.runs.median() / least);
        self
    }

    /// The median has to stay under `goal`.
    pub fn goal(mut self, goal: f64) -> Self {
        self.goal = Some(Goal::Median(goal));
        self
    }

    /// The ratio has to stay under `goal`.
    pub fn goal_ratio(mut self, goal: f64) -> Self {
        self.goal = Some(Goal::Ratio(goal));
        self
    }

    /// The ratio has to stay over `goal`.
    pub fn goal_ratio_over(mut self, goal: f64) -> Self {
        self.goal = Some(Goal::RatioOver(goal));
        self
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Runs { sorted, unit } = &self.runs;
        let median = self.runs.median();
        let least = sorted.first().copied().unwrap_or(f64::NAN);
        let most = sorted.last().copied().unwrap_or(f64::NAN);
        let spread = format!("{} .. {}", number(least, ""), number(most, ""));
        let ratio = self.ratio.map(|ratio| number(ratio, "")).unwrap_or_default();
        let (goal, is_met) = match (self.goal, self.ratio) {
            (Some(Goal::Median(goal)), _) => {
                (format!("< {}", number(goal, unit)), Some(median < goal))
            }
            (Some(Goal::Ratio(goal)), Some(ratio)) => {
                (format!("ratio < {}", number(goal, "")), Some(ratio < goal))
            }
            (Some(Goal::RatioOver(goal)), Some(ratio)) => {
                (format!("ratio > {}", number(goal, "")), Some(ratio > goal))
            }
            _ => (String::new(), None),
        };
        let met = is_met.map_or("", |is_met| if is_met { "yes" } else { "**no**" });
        write!(
            f,
            "| {} | {} | {spread} | {} | {} | {ratio} | {goal} | {met} |",
            self.what,
            number(median, unit),
            sorted.len(),
            self.against
        )
    }
}

/// Three digits that count, and the unit.
fn number(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        large if large >= 10.0 => 1,
        large if large >= 0.995 => 2,
        _ => 3,
    };
    let space = if unit.is_empty() { "" } else { " " };
    format!("{value:.digits$}{space}{unit}")
}

/// Processor time of this thread so far, or of another as `/proc` names it.
pub fn processor_time(thread: &str) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{thread}/schedstat")).ok()?;
    stat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Processor time of all threads of a process, those that have ended too.
pub fn busy_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("running");
    let fields: Vec<_> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("ticks");
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

/// How long `work` keeps this thread's processor busy, and what it gives.
pub fn worked<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let now = || processor_time("thread-self").expect("on Linux");
    let begun = now();
    let value = work();
    (now() - begun, value)
}

/// How long `work` takes, and what it gives.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let value = work();
    (begun.elapsed(), value)
}
