//! Files on their way to stages in every cloud.

use super::*;

/// What a server answers to PUT for a stage.
fn upload(file: &std::path::Path, stage: &Json) -> Reply {
    success(&json!({
        "command": "UPLOAD", "src_locations": [file.to_string_lossy()], "stageInfo": stage, "queryId": "01-q",
        "encryptionMaterial": {"queryStageMasterKey": null}, "parallel": 4, "autoCompress": false,
    }))
}

/// Puts a file into a stage whose description depends on the address of a cloud; gives what the cloud saw.
fn put(stage: impl Fn(&str) -> Json) -> (Result<Vec<String>, DatabaseError>, Vec<Seen>) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("rows 1.csv");
    std::fs::write(&file, "\"1\"\n").expect("written");
    let failed = std::sync::atomic::AtomicBool::new(false);
    let cloud = Server::start(move |_| {
        let first = !failed.swap(true, std::sync::atomic::Ordering::SeqCst);
        Reply::status(if first { 503 } else { 200 }, "").header("ETag", "\"1\"")
    });
    let server = script(vec![upload(&file, &stage(&cloud.url()))]);
    let mut connection = connect(settings(&server)).expect("a session");
    let answer = connection.execute("put 'file:///rows' @stage/run");
    let asked = server.seen();
    assert_eq!(to(&asked, QUERY)[0].header("accept"), Some("application/json"));
    let cells = |row: &Vec<Cell>| row.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>().join(" ");
    (answer.map(|answer| answer.table.rows.iter().map(cells).collect()), cloud.seen())
}

#[test]
fn every_cloud_gets_the_file_also_after_a_failure() {
    let azure = |cloud: &str| {
        json!({"locationType": "AZURE", "location": "box/run/", "storageAccount": "acc",
        "endPoint": cloud, "creds": {"AZURE_SAS_TOKEN": "?sig=a%2Bb"}})
    };
    let google = |cloud: &str| {
        json!({"locationType": "GCS", "location": "box/run/", "endPoint": cloud,
        "creds": {"GCS_ACCESS_TOKEN": "tok"}})
    };
    let presigned = |cloud: &str| json!({"locationType": "GCS", "presignedUrl": format!("{cloud}/signed?x=1")});
    let amazon = |cloud: &str| {
        json!({"locationType": "S3", "location": "box/run/", "region": "eu-west-1",
        "endPoint": cloud, "creds": {"AWS_KEY_ID": "id", "AWS_SECRET_KEY": "key", "AWS_TOKEN": "tok"}})
    };
    let stages: [&dyn Fn(&str) -> Json; 4] = [&azure, &google, &presigned, &amazon];
    let paths = ["/box/run/rows%201.csv", "/box/run/rows%201.csv", "/signed", "/box/run/rows%201.csv"];
    for (stage, path) in stages.into_iter().zip(paths) {
        let (rows, seen) = put(stage);
        assert_eq!(rows.expect("sent"), ["rows 1.csv 4 UPLOADED"]);
        assert_eq!((seen.len(), seen[1].path.as_str(), seen[1].body.as_str()), (2, path, "\"1\"\n"));
    }
    assert_eq!(put(azure).1[1].param("sig"), Some("a+b"));
    assert_eq!(put(azure).1[1].header("x-ms-blob-type"), Some("BlockBlob"));
    assert_eq!(put(google).1[1].header("authorization"), Some("Bearer tok"));
    assert!(put(amazon).1[1].header("authorization").is_some_and(|signed| signed.starts_with("AWS4-HMAC-SHA256")));
}

#[test]
fn a_stage_on_this_machine_gets_a_copy() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().join("stage");
    let (rows, seen) = put(|_| json!({"locationType": "LOCAL_FS", "location": place.to_string_lossy()}));
    assert_eq!((rows.expect("sent").len(), seen.len()), (1, 0));
    assert_eq!(std::fs::read_to_string(place.join("rows 1.csv")).expect("a copy"), "\"1\"\n");
}

#[test]
fn what_cannot_be_carried_is_said() {
    let (refused, _) = put(|_| json!({"locationType": "TAPE"}));
    assert_eq!(refused.expect_err("nobody carries tapes").message, "strata cannot carry files to a stage in `TAPE`");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("x");
    std::fs::write(&file, "x").expect("written");
    let data = json!({
        "command": "UPLOAD", "src_locations": [file.to_string_lossy()],
        "stageInfo": {"locationType": "S3", "location": "b/p", "isClientSideEncrypted": true},
        "encryptionMaterial": {"queryStageMasterKey": "key"},
    });
    let server = script(vec![success(&data)]);
    let mut connection = connect(settings(&server)).expect("a session");
    let error = connection.execute("put 'file:///x' @~").expect_err("no encryption");
    assert!(error.message.contains("SNOWFLAKE_SSE"), "{error}");
}
