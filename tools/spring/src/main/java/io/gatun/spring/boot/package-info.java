/// What Spring Boot makes of an application's properties: the models of [io.gatun.spring] that are
/// named there, their health, and their meters.
package io.gatun.spring.boot;
