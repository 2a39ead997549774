// Package servers gives tests real Kafka and Redis servers that they may kill.
//
// Where a Docker engine answers on Linux they run in containers, started by
// testcontainers-go; else as processes of this machine, by kafkatest and
// redistest, which need java and mvn, and redis-server. Where neither can be had
// a test is skipped and says so; PERENNIAL_REQUIRE_REAL=1 makes that a failure.
// PERENNIAL_TEST_ENGINE=docker or =process chooses.
//
// PERENNIAL_TEST_KAFKA (host:port, separated by commas) and PERENNIAL_TEST_REDIS
// (host:port) name servers to use in place of a single broker and a single Redis
// by tests that kill neither: [AnyKafka] deletes the topics of Perennial there,
// and [AnyRedis] empties it.
//
// Containers share this machine's network, so that a server keeps its address
// over its death, and so that the members of a cluster reach each other by the
// addresses that clients use.
package servers
