//! `PUT`: the server says where a local file belongs, and the client carries it there.

use super::failure::{Failure, Refusal};
use super::wire::{Wire, is_passing, pause};
use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore as _, path::Path as ObjectPath};
use serde_json::{Map, Value as Json, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// The code of the client's own error for a stage to which it cannot carry files.
pub(super) const NO_WAY: &str = "253007";

/// Carries out what an answer asks for: files to be sent. Any other answer passes as it is.
pub(super) async fn carried_out(wire: &Wire, data: Map<String, Json>) -> Result<Map<String, Json>, Failure> {
    match data.get("command").and_then(Json::as_str) {
        None => Ok(data),
        Some("UPLOAD") => send_files(wire, &data).await,
        Some(other) => Err(refused("253003", format!("`{other}` of files is not supported: only PUT is"))),
    }
}

fn refused(code: &str, message: String) -> Failure {
    Failure::Refused(Box::new(Refusal { code: code.to_owned(), message, ..Refusal::default() }))
}

/// A stage's place in a cloud, with a permission for this one statement.
#[derive(Debug)]
enum Place {
    /// A directory of this machine.
    Directory(PathBuf),
    /// An address for one file, permission included.
    Address { url: Url, headers: Vec<(&'static str, String)> },
    /// A bucket of Amazon's.
    Bucket { stage: Json, key: String },
}

async fn send_files(wire: &Wire, data: &Map<String, Json>) -> Result<Map<String, Json>, Failure> {
    let stage = data.get("stageInfo").cloned().unwrap_or_default();
    let needs_encryption = stage["isClientSideEncrypted"] == true && stage["locationType"] != "LOCAL_FS";
    if needs_encryption && data.get("encryptionMaterial").is_some_and(has_key) {
        let message = "the stage wants files that the client encrypts, which strata cannot do; \
                       make it with `encryption = (type = 'SNOWFLAKE_SSE')`";
        return Err(refused(NO_WAY, message.to_owned()));
    }
    let sources = data.get("src_locations").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    let mut rows = Vec::new();
    for source in sources {
        let path = PathBuf::from(source);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = place(&stage, &name)?;
        let size = send_file(wire, &place, &path, &name).await?;
        rows.push(json!([source, name, size.to_string(), "UPLOADED"]));
    }
    let column = |name: &str| json!({"name": name, "type": "text", "nullable": true});
    let mut answer = Map::new();
    answer.insert("total".to_owned(), json!(rows.len()));
    answer.insert("rowset".to_owned(), Json::Array(rows));
    answer.insert("queryResultFormat".to_owned(), json!("json"));
    let columns: Vec<Json> = ["source", "target", "source_size", "status"].into_iter().map(column).collect();
    answer.insert("rowtype".to_owned(), Json::Array(columns));
    if let Some(id) = data.get("queryId") {
        answer.insert("queryId".to_owned(), id.clone());
    }
    Ok(answer)
}

/// Whether the server gave a key to encrypt with: one, or one for each file.
fn has_key(material: &Json) -> bool {
    let one = material.as_array().and_then(|all| all.first()).unwrap_or(material);
    one["queryStageMasterKey"].as_str().is_some_and(|key| !key.is_empty())
}

/// Where a file of this name belongs.
fn place(stage: &Json, name: &str) -> Result<Place, Failure> {
    let text = |value: &Json| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let kind = text(&stage["locationType"]).unwrap_or_default();
    let location = text(&stage["location"]).unwrap_or_default();
    let within = location.trim_end_matches('/');
    let address = |base: String, query: Option<&str>| {
        let mut url = Url::parse(&base).map_err(|error| refused(NO_WAY, format!("`{base}` is no address: {error}")))?;
        if let Some(query) = query {
            url.set_query(Some(query.trim_start_matches('?')));
        }
        Ok::<Url, Failure>(url)
    };
    match kind.as_str() {
        "LOCAL_FS" => Ok(Place::Directory(PathBuf::from(location))),
        "GCS" => match (text(&stage["presignedUrl"]), text(&stage["creds"]["GCS_ACCESS_TOKEN"])) {
            (Some(presigned), _) => Ok(Place::Address { url: address(presigned, None)?, headers: vec![] }),
            (None, Some(token)) => {
                let base = endpoint(stage, "storage.googleapis.com");
                let headers = vec![("authorization", format!("Bearer {token}"))];
                Ok(Place::Address { url: address(format!("{base}/{within}/{name}"), None)?, headers })
            }
            (None, None) => Err(refused(NO_WAY, "the server gave no permission for its stage".to_owned())),
        },
        "AZURE" => {
            let account = text(&stage["storageAccount"]).unwrap_or_default();
            let base = match text(&stage["endPoint"]) {
                Some(end) if end.contains("://") => end.trim_end_matches('/').to_owned(),
                end => format!("https://{account}.{}", end.as_deref().unwrap_or("blob.core.windows.net")),
            };
            let permission = text(&stage["creds"]["AZURE_SAS_TOKEN"]).unwrap_or_default();
            let url = address(format!("{base}/{within}/{name}"), Some(&permission))?;
            Ok(Place::Address { url, headers: vec![("x-ms-blob-type", "BlockBlob".to_owned())] })
        }
        "S3" => {
            let key = within.split_once('/').map_or_else(|| name.to_owned(), |(_, path)| format!("{path}/{name}"));
            Ok(Place::Bucket { stage: stage.clone(), key })
        }
        other => Err(refused(NO_WAY, format!("strata cannot carry files to a stage in `{other}`"))),
    }
}

/// The address of a cloud's service, where the server does not name another.
fn endpoint(stage: &Json, usual: &str) -> String {
    match stage["endPoint"].as_str().filter(|end| !end.is_empty()) {
        Some(end) if end.contains("://") => end.trim_end_matches('/').to_owned(),
        Some(end) => format!("https://{end}"),
        None => format!("https://{usual}"),
    }
}

/// Carries one file; gives its size in bytes.
async fn send_file(wire: &Wire, place: &Place, path: &Path, name: &str) -> Result<usize, Failure> {
    let unreadable =
        |error: std::io::Error| refused("253006", format!("the file {} cannot be read: {error}", path.display()));
    if let Place::Directory(directory) = place {
        let copied = std::fs::create_dir_all(directory).and_then(|()| std::fs::copy(path, directory.join(name)));
        let size = copied.map_err(|error| {
            refused("253006", format!("the stage {} cannot be written: {error}", directory.display()))
        })?;
        return Ok(usize::try_from(size).unwrap_or(usize::MAX));
    }
    let bytes = Bytes::from(std::fs::read(path).map_err(unreadable)?);
    let size = bytes.len();
    let call = super::call::Call::current();
    let (mut attempt, mut wait) = (0, Duration::ZERO);
    loop {
        let why = match send_bytes(wire, place, bytes.clone()).await {
            Ok(()) => return Ok(size),
            Err(Sent::Refused(why)) => return Err(refused("253003", format!("the stage refused a file: {why}"))),
            Err(Sent::Lost(why)) => why,
        };
        if attempt >= wire.settings.pace.retries {
            return Err(Failure::Network(format!("a file cannot be sent to the stage: {why}")));
        }
        attempt += 1;
        wait = wire.settings.pace.next_wait(wait);
        pause(wait, call.as_deref()).await?;
    }
}

/// Why a file was not taken.
enum Sent {
    Refused(String),
    Lost(String),
}

async fn send_bytes(wire: &Wire, place: &Place, bytes: Bytes) -> Result<(), Sent> {
    match place {
        Place::Directory(_) => Ok(()),
        Place::Address { url, headers } => {
            let mut request = wire.client.put(url.clone()).header("content-type", "application/octet-stream");
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            match request.body(bytes).send().await {
                Ok(response) if response.status().is_success() => Ok(()),
                Ok(response) if is_passing(response.status()) => Err(Sent::Lost(response.status().to_string())),
                Ok(response) => Err(Sent::Refused(response.status().to_string())),
                Err(error) => Err(Sent::Lost(error.without_url().to_string())),
            }
        }
        Place::Bucket { stage, key } => {
            let bucket = bucket(stage).map_err(|error| Sent::Refused(error.to_string()))?;
            let key = ObjectPath::parse(key).map_err(|error| Sent::Refused(error.to_string()))?;
            bucket.put(&key, bytes.into()).await.map(drop).map_err(|error| match error {
                object_store::Error::Generic { .. } => Sent::Lost(error.to_string()),
                other => Sent::Refused(other.to_string()),
            })
        }
    }
}

fn bucket(stage: &Json) -> Result<object_store::aws::AmazonS3, object_store::Error> {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let location = text(&stage["location"]);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(location.split('/').next().unwrap_or_default())
        .with_region(text(&stage["region"]))
        .with_access_key_id(text(&stage["creds"]["AWS_KEY_ID"]))
        .with_secret_access_key(text(&stage["creds"]["AWS_SECRET_KEY"]))
        .with_token(text(&stage["creds"]["AWS_TOKEN"]));
    if stage["endPoint"].as_str().is_some_and(|end| !end.is_empty()) {
        let end = endpoint(stage, "");
        builder = builder.with_allow_http(end.starts_with("http://")).with_endpoint(end);
    }
    builder.build()
}
