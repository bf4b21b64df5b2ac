/// Models over the rows of Spark's datasets: [Gatun] adds a column that a model computes,
/// [GatunJob] does it from the command line.
package io.gatun.spark;
