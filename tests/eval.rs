//! `lookout eval`: COCO's numbers, and the command on photos and on the embedded clip.

use std::path::Path;
use std::process::{Command, Output};

use lookout::eval::judge;
use lookout::eval::precision::{Found, Wanted};
use serde_json::Value;

/// pycocotools reads recall at points that differ in the last bit.
const TOLERANCE: f64 = 1e-3;

fn numbers(row: &Value) -> Vec<f64> {
    row.as_array().expect("a row").iter().map(|v| v.as_f64().expect("a number")).collect()
}

#[test]
fn average_precision_is_that_of_pycocotools() {
    let all: Value = serde_json::from_str(include_str!("fixtures/average_precision.json")).expect("JSON");
    for (index, case) in all["cases"].as_array().expect("cases").iter().enumerate() {
        let rows = |key: &str| case[key].as_array().expect("rows").iter().map(numbers).collect::<Vec<_>>();
        let area = |row: &[f64]| [row[1], row[2], row[3], row[4]];
        let wanted: Vec<Wanted> = (rows("wanted").iter())
            .map(|row| Wanted { image: row[0] as usize, area: area(row), crowd: row[5] == 1.0 })
            .collect();
        let mut found: Vec<Found> = (rows("found").iter())
            .map(|row| Found { image: row[0] as usize, area: area(row), score: row[5] })
            .collect();
        found.sort_by_key(|found| found.image);
        let judged = judge(&found, &wanted);
        for (ours, theirs) in [(judged.ap50, "ap50"), (judged.ap, "ap")] {
            let (ours, theirs) = (ours.expect("there are boxes"), case[theirs].as_f64().expect("a number"));
            assert!((ours - theirs).abs() < TOLERANCE, "case {index}: {ours} for {theirs}");
        }
    }
}

#[test]
fn precision_recall_and_the_best_threshold() {
    let area = [0.0, 0.0, 10.0, 10.0];
    let wanted: Vec<Wanted> = (0..4).map(|image| Wanted { image, area, crowd: false }).collect();
    let found: Vec<Found> = [(0, 0.9), (1, 0.8), (7, 0.7), (2, 0.6), (8, 0.5), (9, 0.4)]
        .map(|(image, score)| Found { image, area, score })
        .to_vec();
    let judged = judge(&found, &wanted);
    let at = judged.at(&found, 0.75);
    assert_eq!((at.precision, at.recall), (1.0, 0.5));
    let best = judged.best(&found).expect("something was found");
    assert_eq!((best.threshold, best.precision, best.recall), (0.6, 0.75, 0.75));
    assert_eq!(judge(&found, &[]).ap50, None);
}

fn lookout(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lookout")).args(arguments).output().expect("the program starts")
}

/// A grey photo, on which the truth has one car, and its annotations.
fn photos(folder: &Path) -> (String, String) {
    image::RgbImage::from_pixel(160, 120, image::Rgb([120, 120, 120])).save(folder.join("grey.png")).expect("writes");
    let truth = serde_json::json!({
        "categories": [{ "id": 1, "name": "car" }],
        "images": [{ "id": 5, "file_name": "grey.png", "width": 160, "height": 120 }],
        "annotations": [{ "id": 1, "image_id": 5, "category_id": 1, "bbox": [20, 30, 60, 40], "iscrowd": 0 }],
    });
    let path = folder.join("truth.json");
    std::fs::write(&path, truth.to_string()).expect("writes");
    (path.display().to_string(), folder.display().to_string())
}

#[test]
fn photos_are_judged_and_the_page_shows_what_was_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (truth, images) = photos(folder.path());
    let page = folder.path().join("report.html").display().to_string();
    let common = ["eval", "--annotations", &truth, "--images", &images, "--prompt", "a car=car", "--json"];
    let ran = lookout(&[&common[..], &["--report", &page]].concat());
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let json: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!((&json["pictures"], &json["prompts"][0]["boxes"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(json["prompts"][0]["at_threshold"]["recall"], 0.0);
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("Worst misses") && page.contains("data:image/jpeg;base64,") && page.contains("<svg"));
}

#[test]
fn broken_annotations_and_prompts_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (truth, images) = photos(folder.path());
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{\"images\": []}").expect("writes");
    let broken = broken.display().to_string();
    for (annotations, prompt, wanted) in [
        ("/no/such.json", "a car=car", "/no/such.json"),
        (broken.as_str(), "a car=car", "no list `categories`"),
        (&truth, "a dog=dog", "no category \"dog\"; they have car. If no such thing occurs, write \"a dog=none\""),
        (&truth, "=car", "the phrase is empty"),
    ] {
        let ran = lookout(&["eval", "--annotations", annotations, "--images", &images, "--prompt", prompt]);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(1) && said.contains(wanted), "{wanted:?} in {said}");
    }
}

/// The true boxes of the embedded clip, of one judged frame a second, and that frame's index.
fn sparse(folder: &Path) -> String {
    let text = std::fs::read(Path::new(CLIP).with_extension("json")).expect("the truth");
    let mut truth: Value = serde_json::from_slice(&text).expect("JSON");
    let kept = |id: &Value| id.as_u64().is_some_and(|id| id % 15 == 8);
    truth["images"].as_array_mut().expect("images").retain(|image| kept(&image["id"]));
    truth["annotations"].as_array_mut().expect("annotations").retain(|thing| kept(&thing["image_id"]));
    let path = folder.join("sparse.json");
    std::fs::write(&path, truth.to_string()).expect("writes");
    path.display().to_string()
}

const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/demo/street.webm");

fn on_the_clip(truth: &str, more: &[&str]) -> Value {
    let common = ["eval", "--json", "--annotations", truth, "--video", CLIP, "--fps", "4", "--seconds", "12"];
    let ran = lookout(&[&common[..], &["--model", crate::support::RENDERED_MODEL], more].concat());
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).expect("JSON")
}

#[test]
fn frames_that_are_judged_now_and_then_are_compared_and_all_are_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = on_the_clip(&sparse(folder.path()), &["--prompt", "a pedestrian=person", "--prompt", "a fire=none"]);
    assert_eq!((&json["pictures"], &json["judged"]), (&Value::from(12), &Value::from(12)));
    assert_eq!(json["judged_without_frame"], 0);
    let analysed = json["analysed"].as_u64().expect("a number");
    assert!((48..=49).contains(&analysed), "{analysed} frames of 12 s at 4 a second");
    let (person, absent) = (&json["prompts"][0], &json["prompts"][1]);
    assert!(person["ap50"].as_f64().expect("boxes") > 0.6 && person["events"]["told"].as_u64() >= Some(1), "{person}");
    assert_eq!((&absent["ap50"], &absent["events"]["things"]), (&Value::Null, &Value::from(0)));
    assert!(absent["events"]["length_s"].as_f64().expect("a length") > 11.0, "all of it, judged or not");
    let ends = numbers(&person["ap50_interval"]);
    assert!((ends[0]..=ends[1]).contains(&person["ap50"].as_f64().expect("boxes")), "{person}");
}

#[test]
fn truth_is_turned_with_the_picture() {
    let truth = Path::new(CLIP).with_extension("json").display().to_string();
    let json = on_the_clip(&truth, &["--prompt", "a pedestrian=person", "--transform", "mirror"]);
    let ap50 = json["prompts"][0]["ap50"].as_f64().expect("boxes");
    assert!(ap50 > 0.5, "AP50 of mirrored pedestrians is {ap50}");
}
