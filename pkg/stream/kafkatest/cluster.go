package kafkatest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// version is that of the brokers started here.
const version = "4.2.1"

// pom names what a broker needs.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>perennial</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + version + `</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>` + version + `</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
`

var shared struct {
	sync.Mutex
	cluster *Cluster
}

// Cluster is brokers running as processes.
type Cluster struct {
	dir, jars string
	brokers   []*broker
}

type broker struct {
	port    int
	config  string
	process *exec.Cmd
	exited  chan struct{}
	// guard ends the broker if the test process dies without doing so.
	guard *exec.Cmd
}

// start makes and starts a cluster in dir.
func start(t testing.TB, brokers int, dir string) *Cluster {
	t.Helper()
	c := &Cluster{dir: dir, jars: jars(t)}
	ports := freePorts(t, 2*brokers)
	voters := make([]string, brokers)
	for i := range voters {
		voters[i] = fmt.Sprintf("%d@127.0.0.1:%d", i+1, ports[2*i+1])
	}
	id := strings.TrimSpace(c.java(t, "kafka.tools.StorageTool", "random-uuid"))
	for i := range brokers {
		b := &broker{port: ports[2*i], config: filepath.Join(dir, fmt.Sprintf("broker-%d.properties", i+1))}
		write(t, b.config, properties(i+1, brokers, b.port, ports[2*i+1], strings.Join(voters, ","), filepath.Join(dir, fmt.Sprintf("data-%d", i+1))))
		c.java(t, "kafka.tools.StorageTool", "format", "-t", id, "-c", b.config)
		c.brokers = append(c.brokers, b)
	}
	for i := range c.brokers {
		c.launch(t, i) // none answers before most of them run
	}
	for i := range c.brokers {
		c.await(t, i)
	}
	return c
}

func properties(id, brokers, port, controllerPort int, voters, data string) string {
	replicas := min(brokers, 3)
	return fmt.Sprintf(`process.roles=broker,controller
node.id=%d
controller.quorum.voters=%s
listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d
advertised.listeners=PLAINTEXT://127.0.0.1:%d
controller.listener.names=CONTROLLER
log.dirs=%s
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
default.replication.factor=%d
min.insync.replicas=%d
offsets.topic.replication.factor=%d
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=%d
transaction.state.log.min.isr=%d
transaction.state.log.num.partitions=4
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
log.cleaner.backoff.ms=200
`, id, voters, port, controllerPort, port, data, replicas, max(1, replicas-1), replicas, replicas, max(1, replicas-1))
}

// Addrs are the brokers' addresses.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		addrs[i] = fmt.Sprintf("127.0.0.1:%d", b.port)
	}
	return addrs
}

// Addr is a broker's address. Brokers are counted from 0.
func (c *Cluster) Addr(broker int) string { return c.Addrs()[broker] }

// Kill ends a broker as a crash does.
func (c *Cluster) Kill(t testing.TB, broker int) {
	t.Helper()
	if c.brokers[broker].process == nil {
		t.Fatalf("broker %d isn't running", broker)
	}
	c.brokers[broker].end()
}

// Freeze stops a broker in its tracks, and Thaw lets it go on.
func (c *Cluster) Freeze(t testing.TB, broker int) {
	t.Helper()
	c.signal(t, broker, syscall.SIGSTOP)
}

// Thaw is the opposite of Freeze.
func (c *Cluster) Thaw(t testing.TB, broker int) {
	t.Helper()
	c.signal(t, broker, syscall.SIGCONT)
}

func (c *Cluster) signal(t testing.TB, broker int, s syscall.Signal) {
	t.Helper()
	if c.brokers[broker].process == nil {
		t.Fatalf("broker %d isn't running", broker)
	}
	if err := c.brokers[broker].process.Process.Signal(s); err != nil {
		t.Fatalf("signal %v to broker %d: %v", s, broker, err)
	}
}

// Restart starts a broker that isn't running, and returns when it answers.
func (c *Cluster) Restart(t testing.TB, broker int) {
	t.Helper()
	if c.brokers[broker].process != nil {
		t.Fatalf("broker %d is running", broker)
	}
	c.launch(t, broker)
	c.await(t, broker)
}

func (c *Cluster) launch(t testing.TB, broker int) {
	t.Helper()
	b := c.brokers[broker]
	out, err := os.Create(b.logFile())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() //nolint:errcheck // the process has its own handle
	//nolint:noctx // it outlives the call; Stop ends it
	b.process = exec.Command("java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", filepath.Join(c.jars, "*"), "kafka.Kafka", b.config)
	b.process.Stdout, b.process.Stderr = out, out
	if err := b.process.Start(); err != nil {
		t.Fatalf("starting broker %d: %v", broker, err)
	}
	b.watch(t)
	exited, process := make(chan struct{}), b.process
	b.exited = exited
	go func() {
		process.Wait() //nolint:errcheck // killed, most often
		close(exited)
	}()
}

// watch starts the guard: a shell that waits for the end of its input, whose
// other end only this process has.
func (b *broker) watch(t testing.TB) {
	t.Helper()
	//nolint:noctx // it outlives the call; end ends it
	b.guard = exec.Command("sh", "-c", fmt.Sprintf("cat; kill -9 %d", b.process.Process.Pid))
	if _, err := b.guard.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := b.guard.Start(); err != nil {
		t.Fatalf("starting the guard of a broker: %v", err)
	}
}

// end kills the broker and its guard, the guard first.
func (b *broker) end() {
	b.guard.Process.Kill()   //nolint:errcheck // it may have ended already
	b.guard.Wait()           //nolint:errcheck // killed
	b.process.Process.Kill() //nolint:errcheck // it may have ended already
	<-b.exited
	b.process = nil
}

func (b *broker) logFile() string { return strings.TrimSuffix(b.config, ".properties") + ".log" }

// await returns when a broker answers.
func (c *Cluster) await(t testing.TB, broker int) {
	t.Helper()
	b := c.brokers[broker]
	deadline := time.Now().Add(time.Minute)
	for {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", b.port))
		if err == nil {
			conn.Close() //nolint:errcheck // it was only knocked at
			return
		}
		select {
		case <-b.exited:
		case <-time.After(50 * time.Millisecond):
			if time.Now().Before(deadline) {
				continue
			}
		}
		said, _ := os.ReadFile(b.logFile()) // as far as it goes
		t.Fatalf("broker %d doesn't answer: %v\n%s", broker, err, said)
	}
}

// Stop ends all brokers.
func (c *Cluster) Stop() {
	for _, b := range c.brokers {
		if b.process != nil {
			b.end()
		}
	}
}

// jars returns the folder of Kafka's jars, fetching them when they aren't there.
func jars(t testing.TB) string {
	t.Helper()
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "PERENNIAL_TEST_KAFKA is not set and there is no %s", tool)
		}
	}
	dir, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(dir, "lib")
	if _, err := os.Stat(lib); err == nil {
		return lib
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a leftover does no harm
	write(t, filepath.Join(work, "pom.xml"), pom)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	fetch := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(work, "lib"))
	fetch.Dir = work
	if out, err := fetch.CombinedOutput(); err != nil {
		missing(t, "mvn can't fetch its jars: %v\n%s", err, out)
	}
	// Whoever is first wins; both have the same.
	if err := os.Rename(filepath.Join(work, "lib"), lib); err != nil {
		if _, there := os.Stat(lib); there != nil {
			t.Fatal(err)
		}
	}
	return lib
}

// java runs one of Kafka's tools and returns what it prints.
func (c *Cluster) java(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out, said bytes.Buffer
	tool := exec.CommandContext(ctx, "java", append([]string{"-cp", filepath.Join(c.jars, "*")}, args...)...)
	tool.Stdout, tool.Stderr = &out, &said
	if err := tool.Run(); err != nil {
		t.Fatalf("java %v: %v\n%s%s", args, err, out.String(), said.String())
	}
	return out.String()
}

// freePorts finds ports that nothing listens on.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, n)
	listeners := make([]net.Listener, n)
	for i := range ports {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i], ports[i] = l, l.Addr().(*net.TCPAddr).Port
	}
	for _, l := range listeners { // not before, or one port might come twice
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return ports
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
