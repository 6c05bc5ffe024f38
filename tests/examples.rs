//! Pictures that say what words do not: a thing in a colour that the model has no word for.

use std::path::Path;

use image::RgbImage;
use jiff::Timestamp;
use lookout::clip::{Embedding, Model, Running, TileEncoder};
use lookout::config::parse;
use lookout::frame::{Frame, PixelRect};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
const COLUMNS: u32 = 16;
const THRESHOLD: f32 = 0.6;
/// Of the first row, the columns that are shown as examples: by daylight.
const SHOWN: [u32; 4] = [0, 1, 2, 3];

/// All crops with what they are, row by row.
fn crops() -> Vec<(String, RgbImage)> {
    let held: Value =
        serde_json::from_slice(&std::fs::read(format!("{FIXTURES}/examples.json")).expect("the rows")).expect("JSON");
    let side = held["side"].as_u64().expect("a side") as u32;
    let sheet = image::open(format!("{FIXTURES}/examples.jpg")).expect("the sheet").into_rgb8();
    let rows = held["rows"].as_array().expect("rows").iter().enumerate();
    let crop = |row: usize, column: u32| {
        image::imageops::crop_imm(&sheet, column * side, row as u32 * side, side, side).to_image()
    };
    rows.flat_map(|(row, name)| {
        (0..COLUMNS)
            .map(move |column| (name.as_str().expect("a name").to_owned(), crop(row, column)))
            .collect::<Vec<_>>()
    })
    .collect()
}

fn embeddings(model: &Model, crops: &[(String, RgbImage)]) -> Vec<Embedding> {
    let encoder = model.encoder(&Running::floats(2)).expect("loads");
    let one = |(_, crop): &(String, RgbImage)| {
        let (width, height) = crop.dimensions();
        let frame = Frame::new(width, height, crop.clone().into_raw(), 0, Timestamp::UNIX_EPOCH).expect("a frame");
        encoder.encode(&frame, &[PixelRect { x: 0, y: 0, width, height }]).expect("encodes").remove(0)
    };
    crops.iter().map(one).collect()
}

fn camera(prompt: &str) -> String {
    format!("[[camera]]\nname = \"yard\"\nsource = \"demo://street\"\n[[camera.prompt]]\n{prompt}\n")
}

#[test]
fn examples_find_what_no_word_says_and_counter_examples_tell_it_from_what_is_alike() {
    let crops = crops();
    let folder = tempfile::tempdir().expect("a folder");
    let (mut shown, mut counters) = (Vec::new(), Vec::new());
    let save = |index: usize| {
        let file = format!("{index}.png");
        crops[index].1.save(folder.path().join(&file)).expect("written");
        format!("\"{file}\"")
    };
    SHOWN.iter().for_each(|column| shown.push(save(*column as usize)));
    // The first row of trash cans in other colours; the second is asked.
    (2 * COLUMNS..3 * COLUMNS).for_each(|index| counters.push(save(index as usize)));
    let model = crate::support::rendered_model();
    let embeddings = embeddings(&model, &crops);
    let asked = |prompt: &str| {
        let settings = parse(&camera(prompt), "test", folder.path(), false).expect("valid");
        let bank = lookout::app::banks(&model, &settings.cameras).expect("embeds").remove(0);
        let share = |name: &str, skipped: usize| {
            let of: Vec<_> = crops.iter().zip(&embeddings).filter(|((of, _), _)| of == name).skip(skipped).collect();
            let taken = of.iter().filter(|(_, tile)| bank.score(tile)[0].probability >= THRESHOLD).count();
            taken as f64 / of.len() as f64
        };
        let shares =
            [("teal trash can", SHOWN.len()), ("trash can", 16), ("teal thing", 0), ("thing", 0), ("background", 0)];
        let shares = shares.map(|(name, skipped)| share(name, skipped));
        eprintln!("{prompt}: {shares:?}");
        shares
    };
    let examples = format!("name = \"our_bin\"\nexamples = [{}]", shown.join(", "));
    let alone = asked(&examples);
    assert!(alone[0] >= 0.75 && alone[2..].iter().all(|share| *share <= 0.05), "{alone:?}");
    let countered = asked(&format!("{examples}\ncounter_examples = [{}]", counters.join(", ")));
    assert!(countered[0] >= 0.6 && countered[1] <= alone[1].min(0.1), "{countered:?}");
    let worded = asked(&format!("{examples}\nphrases = \"a trash can\""));
    assert!(worded[0] >= alone[0], "{worded:?}");
}

#[test]
fn faults_in_examples_say_what_would_be_right() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("text.jpg"), "no picture").expect("written");
    RgbImage::new(60, 40).save(folder.path().join("bin.png")).expect("written");
    let at = |text: &str| parse(&camera(text), "test", folder.path(), false);
    for (prompt, wanted) in [
        ("name = \"bin\"\nexamples = [\"none.jpg\"]", "prompt[0].examples[0]: there is no file"),
        ("examples = [\"bin.png\"]", "prompt[0].name: is missing"),
        ("name = \"bin\"\nexamples = [\"bin.png#1,2,3\"]", "should have x,y,width,height in whole pixels"),
        ("name = \"bin\"\nphrases = \"a bin\"\ncounter_examples = [\"bin.png\"]", "there are no `examples`"),
        ("name = \"bin\"\nexamples = []", "phrases: is missing or empty"),
    ] {
        let error = at(prompt).expect_err(prompt).to_string();
        assert!(error.contains(wanted), "{prompt}: {error}");
    }
    let many = vec!["\"bin.png\""; 17].join(", ");
    let error = at(&format!("name = \"bin\"\nexamples = [{many}]")).expect_err("too many").to_string();
    assert!(error.contains("has 17, at most 16 are read"), "{error}");
    let model = crate::support::rendered_model();
    for (examples, wanted) in [
        ("\"text.jpg\"", "text.jpg is no readable photo"),
        ("\"bin.png#50,0,20,20\"", "reaches beyond the picture, which has 60x40 pixels"),
        ("\"bin.png\"", "stands alone; add another one, a counter-example"),
    ] {
        let settings = at(&format!("name = \"bin\"\nexamples = [{examples}]")).expect("the file is there");
        let error = format!("{:#}", lookout::app::banks(&model, &settings.cameras).expect_err(examples));
        assert!(error.contains(wanted) && error.contains("camera yard, prompt bin"), "{examples}: {error}");
    }
}

#[test]
fn examples_are_read_beside_the_file_and_shown_as_they_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    RgbImage::new(60, 40).save(folder.path().join("bin.png")).expect("written");
    let settings = parse(&camera("name = \"our_bin\"\nexamples = \"bin.png#0,0,20,20\""), "test", folder.path(), false);
    let settings = settings.expect("valid");
    let prompt = &settings.cameras[0].prompts[0];
    assert_eq!((prompt.phrases.as_slice(), prompt.understood.targets.len()), (&["our bin".to_owned()][..], 0));
    let cameras = lookout::config::show::written(&settings).remove("camera").expect("cameras");
    let shown = toml::Table::from_iter([("camera".to_owned(), cameras)]).to_string();
    let again = parse(&shown, "shown", Path::new("/elsewhere"), false).expect("what is shown can be read");
    assert_eq!(again.cameras[0].prompts, settings.cameras[0].prompts);
}
