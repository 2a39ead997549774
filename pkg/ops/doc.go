// Package ops is what every service of Perennial needs to be run by people for
// years: configuration, logs, metrics, traces, health, graceful stop and the
// way errors become exit codes and HTTP answers.
//
// A service's main is one call:
//
//	func main() {
//		os.Exit(ops.Main(ops.Program[ingester.Config]{
//			Name: "call-ingester", Summary: "takes in call outcomes",
//			Defaults: ingester.Defaults(), Run: ingester.Run,
//		}))
//	}
//
// What a service configures is one struct: it embeds [Common] and adds [Kafka],
// [Redis], [HTTP] and fields of its own. [Load] fills such a struct from a YAML
// file, the environment and flags, in this order, and remembers where each
// value came from.
//
// The package knows nothing of Kafka, Redis or the domain: its structs are
// plain data which pkg/stream and pkg/store turn into clients.
package ops
