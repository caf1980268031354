//! The report as one HTML page, its plots drawn in it.

use std::fmt::Write as _;

use super::result::{Report, Second};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 200.0;
/// Room for the scale.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 10.0;

/// One line of a plot.
struct Line {
    name: &'static str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

/// The page.
pub fn page(report: &Report) -> String {
    // Writing to a string doesn't fail.
    let mut table = String::new();
    for (name, value) in report.rows() {
        let _ = writeln!(table, "<tr><th>{name}</th><td>{}</td></tr>", escape(&value));
    }
    let mut drawn = String::new();
    for (title, lines) in plots(&report.timeline) {
        let _ = writeln!(drawn, "<h2>{title}</h2>\n{}", plot(&lines));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Spillway load test</title>\n<style>{STYLE}</style>\n\
         <h1>Load test</h1>\n<table>\n{table}</table>\n{drawn}</html>\n"
    )
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1d2733}\
h1{font-size:1.5rem}h2{font-size:1rem;margin:1.5rem 0 .25rem}table{border-collapse:collapse}\
th{text-align:left;font-weight:500;color:#5b6876;padding:.1rem 1.5rem .1rem 0;vertical-align:top}\
svg{width:100%;height:auto}text{font-size:11px;fill:#5b6876}.grid{stroke:#dde3ea}";

fn plots(timeline: &[Second]) -> Vec<(&'static str, Vec<Line>)> {
    let line = |name, colour, value: &dyn Fn(&Second) -> f64| Line {
        name,
        colour,
        points: timeline
            .iter()
            .map(|second| (second.at, value(second)))
            .collect(),
    };
    // What grows is shown as what it grew in the second.
    let growth = |name, colour, value: &dyn Fn(&Second) -> Option<f64>| Line {
        name,
        colour,
        points: timeline
            .windows(2)
            .filter_map(|pair| {
                let seconds = pair[1].at - pair[0].at;
                Some((pair[1].at, (value(&pair[1])? - value(&pair[0])?) / seconds))
            })
            .collect(),
    };
    let mut plots = vec![
        (
            "Latency of pictures, ms",
            vec![
                line("99 of 100", "#d9822b", &|s| s.p99_ms),
                line("median", "#2b6cb0", &|s| s.median_ms),
            ],
        ),
        (
            "Viewers",
            vec![line("connected", "#2b6cb0", &|s| s.viewers as f64)],
        ),
        (
            "Mbit/s from the server",
            vec![growth("Mbit/s", "#2b6cb0", &|s| {
                Some(s.counts.bytes as f64 * 8.0 / 1e6)
            })],
        ),
    ];
    if timeline.iter().any(|second| second.server.is_some()) {
        plots.push((
            "Server's CPU, cores",
            vec![growth("cores", "#2b6cb0", &|s| {
                Some(s.server?.cpu as f64 / 1e9)
            })],
        ));
        plots.push((
            "Server's memory, MiB",
            vec![line("resident", "#2b6cb0", &|s| {
                s.server
                    .map_or(0.0, |server| server.resident as f64 / f64::from(1 << 20))
            })],
        ));
    }
    plots
}

fn plot(lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let end = points().map(|point| point.0).fold(1.0, f64::max);
    let top = nice(points().map(|point| point.1).fold(0.0, f64::max));
    let x = |value: f64| LEFT + value / end * (WIDTH - LEFT);
    let y = |value: f64| TOP + (1.0 - value / top) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n");
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/>\
             <text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{3}</text>",
            y(value),
            LEFT - 6.0,
            y(value) + 4.0,
            short(value)
        );
        let seconds = end * f64::from(step) / 4.0;
        let anchor = if step == 4 { "end" } else { "middle" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{seconds:.0} s</text>",
            x(seconds),
            HEIGHT - 6.0
        );
    }
    for (i, line) in lines.iter().enumerate() {
        let mut path = String::new();
        for (at, value) in &line.points {
            let _ = write!(path, "{:.1},{:.1} ", x(*at), y(*value));
        }
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{0}\" stroke-width=\"1.5\" points=\"{path}\"/>\
             <text x=\"{1}\" y=\"{2}\" style=\"fill:{0}\">{3}</text>",
            line.colour,
            LEFT + 8.0,
            TOP + 14.0 * (i as f64 + 1.0),
            line.name
        );
    }
    svg + "</svg>\n"
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
    if value >= 100.0 || value == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
