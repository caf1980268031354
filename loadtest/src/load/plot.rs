//! Plots of a report as SVG, in colours that can be read on white and on black.

use std::fmt::Write as _;

use super::result::{Report, Second};
use super::step::Step;

const WIDTH: f64 = 860.0;
/// Of one plot, with its title and scale.
const HEIGHT: f64 = 220.0;
/// Room for the scale.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 34.0;
/// Parts that a scale is divided into.
const PARTS: u32 = 4;
/// So few points are shown each by itself.
const FEW: usize = 20;

/// Half as bright as white: about as far from white as from black.
const TEXT: &str = "#767c85";
const BLUE: &str = "#3b82c4";
const ORANGE: &str = "#c2701c";

/// One line of a plot.
struct Line {
    name: &'static str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

/// One plot.
pub struct Plot {
    title: &'static str,
    /// What the horizontal scale counts.
    along: &'static str,
    lines: Vec<Line>,
}

/// What a report shows best: the steps if there are several, else the time.
pub fn of_report(report: &Report) -> Vec<Plot> {
    if report.steps().is_empty() {
        of_time(&report.timeline)
    } else {
        of_steps(report.steps())
    }
}

/// Against viewers.
pub fn of_steps(steps: &[Step]) -> Vec<Plot> {
    let line = |name, colour, value: Value<Step>| Line {
        name,
        colour,
        points: steps
            .iter()
            .filter_map(|step| Some((step.viewers as f64, value(step)?)))
            .collect(),
    };
    let plot = |title, lines| Plot {
        title,
        along: "viewers",
        lines,
    };
    shown(vec![
        plot(
            "Latency of pictures, ms",
            vec![
                line("99 of 100", ORANGE, |step| Some(step.latency_ms.p99)),
                line("median", BLUE, |step| Some(step.latency_ms.median)),
            ],
        ),
        plot(
            "Server's CPU, ns a datagram",
            vec![line("", BLUE, |step| Some(step.server?.ns_per_datagram))],
        ),
        plot(
            "Lost packets, %",
            vec![line("", BLUE, |step| Some(step.loss()? * 100.0))],
        ),
    ])
}

/// Second by second.
pub fn of_time(timeline: &[Second]) -> Vec<Plot> {
    let line = |name, colour, value: Value<Second>| Line {
        name,
        colour,
        points: timeline
            .iter()
            .filter_map(|second| Some((second.at, value(second)?)))
            .collect(),
    };
    // What grows is shown as what it grew in the second.
    let growth = |value: Value<Second>| Line {
        name: "",
        colour: BLUE,
        points: timeline
            .windows(2)
            .filter_map(|pair| {
                let seconds = pair[1].at - pair[0].at;
                Some((pair[1].at, (value(&pair[1])? - value(&pair[0])?) / seconds))
            })
            .collect(),
    };
    let plot = |title, lines| Plot {
        title,
        along: "s",
        lines,
    };
    shown(vec![
        plot(
            "Latency of pictures, ms",
            vec![
                line("99 of 100", ORANGE, |second| Some(second.p99_ms)),
                line("median", BLUE, |second| Some(second.median_ms)),
            ],
        ),
        plot(
            "Viewers",
            vec![line("", BLUE, |second| Some(second.viewers as f64))],
        ),
        plot(
            "Mbit/s from the server",
            vec![growth(|second| {
                Some(second.counts.bytes as f64 * 8.0 / 1e6)
            })],
        ),
        plot(
            "Server's CPU, cores",
            vec![growth(|second| Some(second.server?.cpu as f64 / 1e9))],
        ),
        plot(
            "Server's memory, MiB",
            vec![line("", BLUE, |second| {
                Some(second.server?.resident as f64 / f64::from(1 << 20))
            })],
        ),
    ])
}

/// What is plotted, where it is known.
type Value<T> = fn(&T) -> Option<f64>;

/// Without those of which nothing is known.
fn shown(mut plots: Vec<Plot>) -> Vec<Plot> {
    plots.retain(|plot| plot.lines.iter().any(|line| !line.points.is_empty()));
    plots
}

/// The plots one below the other, as a file or as a part of a page. `caption` is what they are of.
pub fn svg(plots: &[Plot], caption: &str) -> String {
    let height = HEIGHT * plots.len() as f64 + TOP;
    // Writing to a string doesn't fail.
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"system-ui,sans-serif\" font-size=\"11\" fill=\"{TEXT}\">\n\
         <text x=\"{LEFT}\" y=\"16\" font-size=\"12\">{}</text>\n",
        escape(caption)
    );
    for (number, plot) in plots.iter().enumerate() {
        let down = TOP + HEIGHT * number as f64;
        let _ = writeln!(svg, "<g transform=\"translate(0 {down})\">");
        draw(&mut svg, plot);
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, plot: &Plot) {
    let points = || plot.lines.iter().flat_map(|line| &line.points);
    let end = points().map(|point| point.0).fold(1.0, f64::max);
    let top = nice(points().map(|point| point.1).fold(0.0, f64::max));
    let x = |value: f64| LEFT + value / end * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| TOP + (1.0 - value / top) * (HEIGHT - TOP - BOTTOM);
    let mut title = format!(
        "<text x=\"{LEFT}\" y=\"18\" font-size=\"13\" font-weight=\"600\">{}",
        plot.title
    );
    for line in plot.lines.iter().filter(|line| !line.name.is_empty()) {
        let _ = write!(
            title,
            "<tspan dx=\"16\" font-weight=\"400\" fill=\"{}\">{}</tspan>",
            line.colour, line.name
        );
    }
    let _ = writeln!(svg, "{title}</text>");
    for part in 0..=PARTS {
        let share = f64::from(part) / f64::from(PARTS);
        let _ = writeln!(
            svg,
            "<line stroke=\"{TEXT}\" stroke-opacity=\".4\" x1=\"{LEFT}\" x2=\"{0}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/>\
             <text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\">{4}</text>",
            WIDTH - RIGHT,
            y(top * share),
            LEFT - 6.0,
            y(top * share) + 4.0,
            short(top * share)
        );
        let anchor = if part == PARTS { "end" } else { "middle" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{:.0} {}</text>",
            x(end * share),
            HEIGHT - BOTTOM + 18.0,
            end * share,
            plot.along
        );
    }
    for line in &plot.lines {
        let mut path = String::new();
        for (at, value) in &line.points {
            let _ = write!(path, "{:.1},{:.1} ", x(*at), y(*value));
        }
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>",
            line.colour,
            path.trim_end()
        );
        for (at, value) in line.points.iter().filter(|_| line.points.len() <= FEW) {
            let _ = writeln!(
                svg,
                "<circle fill=\"{}\" r=\"3\" cx=\"{:.1}\" cy=\"{:.1}\"/>",
                line.colour,
                x(*at),
                y(*value)
            );
        }
    }
}

/// The next larger of 1, 2 and 5 times a power of ten.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= value)
        .unwrap_or(value)
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text as markup has it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(viewers: u64, p99: f64, lost: Option<u64>) -> Step {
        let mut step = Step {
            viewers,
            expected: lost.map(|_| 1_000),
            lost,
            ..Step::default()
        };
        step.latency_ms.p99 = p99;
        step
    }

    #[test]
    fn a_ramp_is_drawn_against_viewers() {
        let plots = of_steps(&[step(100, 4.0, Some(0)), step(200, 18.0, Some(20))]);
        let titles: Vec<&str> = plots.iter().map(|plot| plot.title).collect();
        // Nothing is known of the server's process.
        assert_eq!(titles, ["Latency of pictures, ms", "Lost packets, %"]);
        assert_eq!(plots[1].lines[0].points, [(100.0, 0.0), (200.0, 2.0)]);
        let svg = svg(&plots, "2 < 3");
        assert!(
            svg.contains("2 &lt; 3") && svg.contains(">200 viewers<"),
            "{svg}"
        );
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert_eq!(svg.matches("<circle").count(), 6);
        // The scale ends at 20 ms: 18 ms are a tenth below the top.
        let at = format!("{:.1}", TOP + 0.1 * (HEIGHT - TOP - BOTTOM));
        assert!(svg.contains(&format!(",{at}\"/>")), "{svg}");
    }

    #[test]
    fn scales_end_at_round_values() {
        for (value, end) in [
            (0.0, 1.0),
            (0.3, 0.5),
            (1.0, 1.0),
            (18.0, 20.0),
            (51.0, 100.0),
        ] {
            assert!((nice(value) - end).abs() < 1e-9, "{value}: {}", nice(value));
        }
    }
}
