/// What a request goes through, whichever API it is of: [io.gatun.server.http.Guard] decides who
/// may ask, [io.gatun.server.http.Routes] finds what answers, [io.gatun.server.http.Call] is a
/// request with its answer, whose JSON is read by [io.gatun.server.http.Fields] and whose images by
/// [io.gatun.server.http.Form]. Knows no models.
package io.gatun.server.http;
