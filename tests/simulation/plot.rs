//! The plot of the figures: two panels, both axes logarithmic, as SVG written by hand.

use super::story::Figures;
use std::fmt::Write;

/// A panel: where its axes are, in points.
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const WIDE: f64 = 330.0;
const HIGH: f64 = 260.0;
/// From the left of one panel to that of the next.
const NEXT: f64 = 560.0;
/// Colours that people who see few of them can tell apart (Okabe and Ito, 2008).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

struct Panel {
    title: &'static str,
    /// The lowest and the highest value, powers of ten.
    range: (i32, i32),
    lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

/// A line through a value of all figures.
fn line(
    all: &[Figures],
    name: &'static str,
    of: impl Fn(&Figures) -> f64,
) -> (&'static str, Vec<(f64, f64)>) {
    (name, all.iter().map(|one| (one.nodes as f64, of(one))).collect())
}

/// Both panels.
pub fn svg(all: &[Figures], seed: u64) -> String {
    let costs = Panel {
        title: "Messages that a node sends in an hour",
        range: (1, 5),
        lines: vec![
            line(all, "monitoring", |one| one.hourly.probes),
            line(all, "sync", |one| one.hourly.sync),
            line(all, "discovery", |one| one.hourly.beacons),
        ],
    };
    let times = Panel {
        title: "Seconds until all who are there know",
        range: (0, 3),
        lines: vec![
            line(all, "a revocation", |one| one.revocation.all.as_secs_f64()),
            line(all, "an admission", |one| one.admission.all.as_secs_f64()),
            line(all, "an alarm", |one| one.alarm.all.as_secs_f64()),
        ],
    };
    let (wide, high) = (NEXT * 2.0, TOP + HIGH + 60.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <!-- written by tests/simulation.rs, REUNITE_SEED={seed} -->\n\
         <rect width=\"{wide}\" height=\"{high}\" fill=\"white\"/>\n"
    );
    for (panel, at) in [costs, times].iter().zip([LEFT, LEFT + NEXT]) {
        draw(panel, at, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(panel: &Panel, left: f64, out: &mut String) {
    let (low, high) = panel.range;
    let x = |nodes: f64| left + (nodes.log10() - 1.0) / 2.0 * WIDE;
    let y = |value: f64| {
        let share = (value.log10() - f64::from(low)) / f64::from(high - low);
        TOP + HIGH - share.clamp(0.0, 1.0) * HIGH
    };
    let (right, bottom) = (left + WIDE, TOP + HIGH);
    let mut put = |text: String| writeln!(out, "{text}").expect("a string takes all");
    put(format!(
        "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}</text>",
        TOP - 16.0,
        panel.title
    ));
    for power in low..=high {
        let (value, at) = (10_f64.powi(power), y(10_f64.powi(power)));
        put(format!("<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ccc\"/>"));
        let (text, end) = (left - 8.0, at + 4.0);
        put(format!("<text x=\"{text}\" y=\"{end:.1}\" text-anchor=\"end\">{value}</text>"));
    }
    for nodes in [10.0, 100.0, 1000.0] {
        let at = x(nodes);
        put(format!("<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#ccc\"/>"));
        let under = bottom + 18.0;
        put(format!("<text x=\"{at:.1}\" y=\"{under}\" text-anchor=\"middle\">{nodes}</text>"));
    }
    let (middle, under) = (left + WIDE / 2.0, bottom + 40.0);
    put(format!("<text x=\"{middle}\" y=\"{under}\" text-anchor=\"middle\">nodes</text>"));
    let mut names: Vec<(f64, &str, &str)> = Vec::new();
    for ((name, points), colour) in panel.lines.iter().zip(COLOURS) {
        let place = |(nodes, value): &(f64, f64)| format!("{:.1},{:.1}", x(*nodes), y(*value));
        let places: Vec<_> = points.iter().map(place).collect();
        let path = places.join(" ");
        put(format!(
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        ));
        for (nodes, value) in points {
            let (at, up) = (x(*nodes), y(*value));
            put(format!("<circle cx=\"{at:.1}\" cy=\"{up:.1}\" r=\"3.5\" fill=\"{colour}\"/>"));
        }
        names.extend(points.last().map(|(_, value)| (y(*value), *name, colour)));
    }
    // Names of lines that end near each other stand below each other.
    names.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut last = f64::MIN;
    for (at, name, colour) in names {
        last = at.max(last + 16.0);
        let (text, end) = (right + 10.0, last + 4.0);
        put(format!("<text x=\"{text}\" y=\"{end:.1}\" fill=\"{colour}\">{name}</text>"));
    }
}
