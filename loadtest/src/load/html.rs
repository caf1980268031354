//! The report as one HTML page, its plots drawn in it.

use std::fmt::Write as _;

use super::plot::{self, escape};
use super::result::Report;
use super::step::Step;

/// The page.
pub fn page(report: &Report) -> String {
    // Writing to a string doesn't fail.
    let mut body = String::from("<table>\n");
    for (name, value) in report.rows() {
        let _ = writeln!(body, "<tr><th>{name}</th><td>{}</td></tr>", escape(&value));
    }
    body += "</table>\n";
    if !report.steps().is_empty() {
        let heads: Vec<String> = Step::COLUMNS
            .iter()
            .map(|column| format!("<th>{column}</th>"))
            .collect();
        let _ = writeln!(
            body,
            "<h2>Step by step</h2>\n<table class=\"steps\">\n<tr>{}</tr>",
            heads.concat()
        );
        for step in report.steps() {
            let cells = step.cells().map(|cell| format!("<td>{cell}</td>"));
            let _ = writeln!(body, "<tr>{}</tr>", cells.concat());
        }
        body += "</table>\n";
        body += &plot::svg(&plot::of_steps(report.steps()), "");
    }
    let _ = writeln!(
        body,
        "<h2>Second by second</h2>\n{}",
        plot::svg(&plot::of_time(&report.timeline), "")
    );
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Spillway load test</title>\n<style>{STYLE}</style>\n\
         <h1>Load test</h1>\n{body}</html>\n"
    )
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1d2733}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:1.5rem 0 .25rem}table{border-collapse:collapse}\
th{text-align:left;font-weight:500;color:#5b6876;padding:.1rem 1.5rem .1rem 0;vertical-align:top}\
.steps :is(th,td){text-align:right;padding:.1rem 1rem .1rem 0;font-variant-numeric:tabular-nums}\
svg{width:100%;height:auto}";
