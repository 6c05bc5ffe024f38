//! A page: HTML that needs nothing but itself, on a desk and in a hand, by day and by night.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What is true of all pages: their head up to the heading.
pub(super) fn head(title: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>\
         <title>{0}</title><style>{STYLE}</style><h1>{0}</h1>",
        escaped(title)
    )
}

const STYLE: &str = "\
    :root{color-scheme:light dark;--line:#8885;--dim:#777;--card:#8881}\
    @media(prefers-color-scheme:dark){:root{--dim:#aaa}}\
    *{box-sizing:border-box}\
    body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;padding:1.5rem;max-width:76rem}\
    h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2.2rem 0 .3rem}h3{font-size:1rem;margin:1.4rem 0 .4rem}\
    p{margin:.3rem 0}.dim{color:var(--dim)}\
    .row{display:grid;grid-template-columns:repeat(auto-fill,minmax(16rem,1fr));gap:.8rem}\
    .card{background:var(--card);border-radius:8px;overflow:hidden;font-size:.85rem}\
    .card>p{padding:.1rem .6rem;margin:0}.card>p:first-of-type{padding-top:.4rem}.card>p:last-child{padding-bottom:.5rem}\
    .pic{position:relative;line-height:0;background:#0003}.pic img{width:100%;display:block}\
    .pic .heat{position:absolute;inset:0;height:100%}\
    body:has(#heat:not(:checked)) .heat{display:none}\
    table{border-collapse:collapse;width:100%;font-size:.9rem}.wide{overflow-x:auto}\
    th,td{white-space:nowrap;text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
    th{font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
    svg{display:block;width:100%;border:1px solid var(--line);border-radius:6px}\
    svg.small{width:260px}\
    .lane{display:grid;grid-template-columns:9rem 1fr;gap:.2rem .7rem;align-items:center;margin:.25rem 0}\
    .axis{display:flex;justify-content:space-between;font-size:.75rem;color:var(--dim);font-variant-numeric:tabular-nums}\
    .dot{display:inline-block;width:.75em;height:.75em;border-radius:3px;margin-right:.4em}\
    pre{background:var(--card);padding:.8rem;border-radius:8px;overflow-x:auto}\
    @media(max-width:40rem){body{padding:1rem}.lane{grid-template-columns:1fr}.lane>i{display:none}\
    .row{grid-template-columns:1fr}}";

/// Text that is no markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}

/// A JPEG as a picture in the page.
pub(super) fn picture(jpeg: &[u8], alt: &str) -> String {
    format!("<img alt='{}' src='data:image/jpeg;base64,{}'>", escaped(alt), BASE64.encode(jpeg))
}

/// A heat map over the picture before it.
pub(super) fn heat(png: &[u8]) -> String {
    format!("<img class=heat alt='' src='data:image/png;base64,{}'>", BASE64.encode(png))
}

/// A colour as CSS has it.
pub(super) fn css([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The best score of a prompt at a time, and the threshold that held then.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    /// Seconds.
    pub(super) time_s: f32,
    /// Probability, 0..1.
    pub(super) best: f32,
    /// Probability, 0..1.
    pub(super) threshold: f32,
}

/// One prompt's scores over a recording.
pub(super) struct Curve<'a> {
    pub(super) points: &'a [Point],
    pub(super) length_s: f64,
    pub(super) colour: String,
    /// Spans that are shaded, seconds.
    pub(super) shaded: Vec<(f64, f64)>,
    /// Points that are marked, seconds and score.
    pub(super) marked: Vec<(f64, f64)>,
}

/// Points along a curve at most: a screen shows no more.
const FINEST: usize = 600;

/// The best of each of at most `most` equal stretches, with the time at which the stretch begins.
pub(super) fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let each = points.len().div_ceil(most.max(1)).max(1);
    let best = |chunk: &[Point]| {
        let best = chunk.iter().copied().max_by(|a, b| a.best.total_cmp(&b.best)).unwrap_or_default();
        Point { time_s: chunk[0].time_s, ..best }
    };
    points.chunks(each).map(best).collect()
}

impl Curve<'_> {
    /// As inline SVG that takes the width there is.
    pub(super) fn svg(&self) -> String {
        const HEIGHT: f64 = 100.0;
        let x = |time: f64| 1000.0 * time / self.length_s.max(1e-3);
        let y = |score: f64| HEIGHT - 4.0 - (HEIGHT - 8.0) * score;
        let points = thinned(self.points, FINEST);
        let line = |value: fn(&Point) -> f32| {
            let mut path = String::new();
            for point in &points {
                let _ = write!(path, "{:.1},{:.1} ", x(point.time_s.into()), y(value(point).into()));
            }
            path
        };
        let mut out =
            format!("<svg viewBox='0 0 1000 {HEIGHT}' height=90 preserveAspectRatio=none role=img aria-label=score>");
        for (from, to) in &self.shaded {
            let width = (x(*to) - x(*from)).max(2.0);
            let _ = write!(
                out,
                "<rect x={:.1} y=0 width={width:.1} height={HEIGHT} fill='{}' opacity=.22 />",
                x(*from),
                self.colour
            );
        }
        let _ = write!(
            out,
            "<polyline points='{}' fill=none stroke='{}' stroke-width=1.5 vector-effect=non-scaling-stroke />\
             <polyline points='{}' fill=none stroke=#d33 stroke-width=1 stroke-dasharray='5 4' vector-effect=non-scaling-stroke />",
            line(|point| point.best),
            self.colour,
            line(|point| point.threshold),
        );
        for (time, score) in &self.marked {
            let (x, y) = (x(*time), y(*score));
            // A line, since a circle would be drawn out with the width.
            let _ = write!(
                out,
                "<path d='M{x:.1} {y:.1}v.01' stroke=currentColor stroke-width=6 stroke-linecap=round vector-effect=non-scaling-stroke />"
            );
        }
        out + "</svg>"
    }
}

/// The times under a curve or timeline.
pub(super) fn axis(length_s: f64) -> String {
    let spans = (0..=4).map(|quarter| format!("<span>{}</span>", clock(length_s * f64::from(quarter) / 4.0)));
    format!("<div class=axis>{}</div>", spans.collect::<String>())
}

/// A position as `1:02` or `1:02:03`.
pub(super) fn clock(seconds: f64) -> String {
    let all = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_keeps_its_peaks_however_long_it_is() {
        let point = |i: usize| Point { time_s: i as f32, best: if i == 54_321 { 0.9 } else { 0.1 }, threshold: 0.6 };
        let points: Vec<Point> = (0..100_000).map(point).collect();
        let thin = thinned(&points, 600);
        assert!(thin.len() <= 600 && thin.iter().any(|point| point.best == 0.9));
        assert!(thinned(&[], 600).is_empty());
    }

    #[test]
    fn positions_read_as_a_player_shows_them() {
        assert_eq!((clock(0.2), clock(62.4), clock(3723.0)), ("0:00".into(), "1:02".into(), "1:02:03".into()));
    }

    #[test]
    fn what_people_write_is_no_markup() {
        assert_eq!(escaped("<a & 'b'>"), "&lt;a &amp; &#39;b&#39;&gt;");
    }
}
