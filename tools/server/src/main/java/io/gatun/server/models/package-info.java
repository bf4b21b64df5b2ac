/// The models behind the APIs: [io.gatun.server.models.Catalog] has their names,
/// [io.gatun.server.models.Models] keeps those that are loaded, and [io.gatun.server.models.Work]
/// computes with those that make or cut images.
package io.gatun.server.models;
