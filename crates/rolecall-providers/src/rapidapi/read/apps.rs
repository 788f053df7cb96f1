//! Reads apps and the names of their keys, which rolecall only shows. It never asks for the values of keys.

use super::super::wire::{WireApp, WireAppKey, WireOrganization};
use super::start;
use crate::ReadError;
use crate::rows::Row;
use rolecall_graphql::Reader;
use rolecall_model::{App, AppKey, Desired, Inventory, Live};

/// The status of a deleted key. Deleted keys stay in the list.
const DELETED: &str = "DELETED";

/// Returns the apps of an organisation.
pub(super) fn apps(found: &WireOrganization) -> Vec<App> {
    let mut apps = Vec::new();
    for owned in found.apps.iter().flatten().filter_map(Row::as_read) {
        let owner = owned.owner.as_ref();
        let name = owner.and_then(|owner| owner.name.clone()).unwrap_or_default();
        let kind = owner.and_then(|owner| owner.kind.clone()).unwrap_or_default().to_lowercase();
        apps.extend(owned.project.as_ref().map(|project| app(format!("{kind}/{name}"), project)));
    }
    apps.sort();
    apps
}

fn app(owner: String, app: &WireApp) -> App {
    let id = app.id.as_ref().map(|id| id.0.clone()).unwrap_or_default();
    let keys = app.keys.as_ref().map(|keys| names(keys));
    App { owner, name: app.name.clone().unwrap_or_default(), id, keys }
}

fn names(keys: &[Row<WireAppKey>]) -> Vec<AppKey> {
    let live = keys.iter().filter_map(Row::as_read).filter(|key| key.status != DELETED);
    let mut names: Vec<AppKey> =
        live.map(|key| AppKey { name: key.name.clone(), kind: key.kind.clone() }).collect();
    names.sort();
    names
}

/// Reads the things that a drift report lists and that rolecall doesn't manage: apps, which a read has found
/// already, and other organisations. That takes one request.
pub(in super::super) async fn survey(
    reader: &Reader,
    desired: &Desired,
    live: &Live,
) -> Result<Inventory, ReadError> {
    let listed = start::organizations(reader, desired, false).await?.into_iter();
    let mut organizations: Vec<String> = listed
        .map(|organization| organization.slugified_name.unwrap_or_else(|| organization.id.0.clone()))
        .collect();
    organizations.sort();
    // The file may name the organisation by its id, so its slug is taken from the platform.
    let own = live.organization_entity.as_ref().and_then(|entity| entity.slug.clone());
    organizations.retain(|slug| Some(slug) != own.as_ref());
    Ok(Inventory { apps: live.apps.clone(), organizations, ..Inventory::default() })
}
