// Package redistest starts real Redis servers for tests: single ones, with
// replicas, with TLS, and clusters. They are processes of their own on free ports of
// the loopback interface, with their data in the test's directory, and end with the
// test, also where the test's process is killed.
//
// Without a redis-server on the PATH a test is skipped and says so, or fails where
// PERENNIAL_REQUIRE_REAL=1 demands that nothing is left out. PERENNIAL_TEST_REDIS
// names a server (host:port) that may be emptied; [Shared] uses it.
package redistest
