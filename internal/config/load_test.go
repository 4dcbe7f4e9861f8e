package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	c := mustLoad(t, nil, nil)
	want := Config{
		Program: Namesrv,
		Listen:  Listen{BindAddress: "0.0.0.0", Port: 9876, IdleTimeout: 120 * time.Second},
		Rules: Rules{
			ReturnOrderTopicConfigToBroker: true, EnableTopicList: true, EnableAllTopicList: true,
			WaitForService: 45 * time.Second, BrokerTimeout: 120 * time.Second, ScanInterval: 5 * time.Second,
		},
		Storage: Storage{KVConfigPath: "/home/op/namesrv/kvConfig.json", Store: Store{Path: "/home/op/namesrv/signpost.db"}},
		Upstream: Upstream{
			Compress: true,
			Signing:  SigningAuto, StateFile: "/home/op/shim/shim.db", Beat: 5 * time.Second,
		},
		TLS: TLS{Mode: TLSPermissive, TestMode: true, ClientAuth: ClientAuthNone, ConfigFile: "/etc/rocketmq/tls.properties"},
		Limits: Limits{
			FrameBytes: 16 << 20, RegistrationBytes: 64 << 20, InflatedBytes: 256 << 20, TopicsPerRegistration: 200_000,
			Connections: 50_000, InFlight: 256, ReadTimeout: time.Minute, WriteTimeout: 30 * time.Second,
		},
		Product:  Product{EnvName: "center"},
		Remote:   Remote{BlackList: []string{"configBlackList", "configStorePath", "kvConfigPath"}},
		Shutdown: Shutdown{Wait: 30 * time.Second, Drain: 5 * time.Second},
		Log:      Log{Level: slog.LevelInfo, Format: LogText},
	}
	got := *c
	got.values = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if s, n := c.Settings(), c.Notices(); len(s)+len(n) > 0 {
		t.Errorf("defaults are worth logging: %v %v", s, n)
	}
	if got := c.Listen.Address(); got != "0.0.0.0:9876" {
		t.Errorf("address %s", got)
	}
}

// A file as operators have it for 4.x: written on Windows, Netty tuned, a key
// of the broker's in it.
const file4x = "#namesrv 4.9 prod\r\n" +
	"rocketmqHome=/opt/rocketmq-4.9.4\r\n" +
	"kvConfigPath=/data/rocketmq/namesrv/kvConfig.json \r\n" +
	"listenPort = 9877\r\n" +
	"serverWorkerThreads=16\r\n" +
	"serverSelectorThreads=3\r\n" +
	"serverSocketSndBufSize=65535\r\n" +
	"serverChannelMaxIdleTimeSeconds=300\r\n" +
	"orderMessageEnable=True\r\n" +
	"brokerClusterName=DefaultCluster\r\n"

func TestFileOf4x(t *testing.T) {
	path := file(t, file4x)
	c := mustLoad(t, []string{"-c", path}, []string{"ROCKETMQ_HOME=/opt/rocketmq"})
	if c.Listen.Port != 9877 || c.Listen.IdleTimeout != 300*time.Second || !c.Rules.OrderMessageEnable ||
		c.Storage.KVConfigPath != "/data/rocketmq/namesrv/kvConfig.json" || c.File != path {
		t.Errorf("%+v", c)
	}
	wantSettings := []string{
		"listenPort 9877", "serverChannelMaxIdleTimeSeconds 300", "orderMessageEnable true",
		"kvConfigPath /data/rocketmq/namesrv/kvConfig.json", "rocketmqHome /opt/rocketmq-4.9.4",
		"serverWorkerThreads 16", "serverSocketSndBufSize 65535",
	}
	var settings []string
	for _, s := range c.Settings() {
		settings = append(settings, s.Key+" "+s.Value)
		if want := Source("file " + path); s.Source != want {
			t.Errorf("%s comes from %q, want %q", s.Key, s.Source, want)
		}
	}
	if !slices.Equal(settings, wantSettings) {
		t.Errorf("settings %q\nwant %q", settings, wantSettings)
	}
	wantNotices(t, c, "rocketmqHome has", "serverWorkerThreads has", "serverSocketSndBufSize has", "brokerClusterName in "+path)

	listed := listing(t, c)
	for key, want := range map[string]string{
		"listenPort": "9877", "rocketmqHome": "/opt/rocketmq-4.9.4", "orderMessageEnable": "true",
		"brokerClusterName": "DefaultCluster", "configStorePath": path,
	} {
		if listed[key] != want {
			t.Errorf("%s=%q, want %q", key, listed[key], want)
		}
	}
}

// The file that 5.x ships for a NameServer with a controller in it, and what
// people add.
const file5x = `
#Namesrv config
listenPort = 9886
bindAddress = 10.0.0.7
enableControllerInNamesrv = true
notifyMinBrokerIdChanged=true
supportActingMaster=true
needWaitForService=true
waitSecondsForService=60
deleteTopicWithBrokerRegistration=
clientRequestThreadPoolNums=
configBlackList=configBlackList;configStorePath;kvConfigPath;listenPort

#controller config
controllerDLegerGroup = group1
controllerDLegerPeers = n0-127.0.0.1:9878;n1-127.0.0.1:9868;n2-127.0.0.1:9858
controllerDLegerSelfId = n0
controllerStorePath = \
    /data/rocketmq/controller
`

func TestFileOf5x(t *testing.T) {
	text := strings.Replace(file5x, "deleteTopicWithBrokerRegistration=\n", "deleteTopicWithBrokerRegistration=false\n", 1)
	c := mustLoad(t, []string{"--configFile", file(t, text)}, nil)
	if c.Listen.Address() != "10.0.0.7:9886" || !c.Rules.NotifyMinBrokerIDChanged || !c.Rules.SupportActingMaster ||
		!c.Rules.NeedWaitForService || c.Rules.WaitForService != time.Minute {
		t.Errorf("%+v", c)
	}
	if want := []string{"configBlackList", "configStorePath", "kvConfigPath", "listenPort"}; !slices.Equal(c.Remote.BlackList, want) {
		t.Errorf("black list %q", c.Remote.BlackList)
	}
	wantNotices(t, c, "enableControllerInNamesrv has", "controllerDLegerGroup in", "controllerDLegerPeers in",
		"controllerDLegerSelfId in", "controllerStorePath in")
	listed := listing(t, c)
	if listed["controllerStorePath"] != "/data/rocketmq/controller" || listed["clientRequestThreadPoolNums"] != "8" {
		t.Errorf("listed %q", listed)
	}
}

// Java takes the empty value of a switch for false without a sound. For one
// whose default is true nobody can tell whether that was meant.
func TestEmptySwitchIsAFault(t *testing.T) {
	_, err := Load(Namesrv, []string{"-c", file(t, file5x)}, nil, "/home/op")
	wantFaults(t, err, `deleteTopicWithBrokerRegistration ""`)
}

func wantNotices(t *testing.T, c *Config, starts ...string) {
	t.Helper()
	notices := c.Notices()
	for i := range max(len(notices), len(starts)) {
		if i >= len(notices) || i >= len(starts) || !strings.HasPrefix(notices[i], starts[i]) {
			t.Errorf("notices %q\nwant %q", notices, starts)
			return
		}
	}
}

func wantFaults(t *testing.T, err error, starts ...string) {
	t.Helper()
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("error %v, want faults", err)
	}
	for i := range max(len(faults), len(starts)) {
		if i >= len(faults) || i >= len(starts) || !strings.HasPrefix(faults[i].Error(), starts[i]) {
			t.Errorf("%v\nwant %q", err, starts)
			return
		}
	}
}

// Every key can be set in every place, and the later place wins.
func TestPrecedence(t *testing.T) {
	valid := map[Kind][4]string{
		Bool: {"true", "false", "true", "false"}, Int: {"101", "102", "103", "104"}, Bytes: {"67108864", "67108865", "67108866", "67108867"},
		Millis: {"2001", "2002", "2003", "2004"}, Seconds: {"21", "22", "23", "24"}, Text: {"a", "b", "c", "d"},
		Path: {"/a", "/b", "/c", "/d"}, Address: {"a:1", "b:1", "c:1", "d:1"},
	}
	lists := map[string][4]string{
		"productNamesrvAddr": {"a:1", "b:1", "c:1;d:1", "e:1"},
		"allowRemoteConfig":  {"pprof", "logLevel", "listenPort", "httpAddr"},
		"configBlackList":    {"a", "b", "c", "d;e"},
		"discoveryServers":   {"a:1", "b:1", "c:1;d:1", "[::1]:1"},
	}
	for _, k := range Keys() {
		texts, ok := valid[k.Kind]
		if k.Kind == List {
			texts, ok = lists[k.Name]
		}
		if k.Kind == Word {
			ok = true
			for i := range texts {
				texts[i] = k.Words[i%len(k.Words)]
			}
		}
		if !ok {
			t.Fatalf("%s: no values of kind %s to try", k.Name, k.Kind)
		}
		t.Run(k.Name, func(t *testing.T) {
			// Frames must not be longer than registrations.
			rest := []string{"--maxRegistrationBytes", "1073741824", "--tls.test.mode.enable"}
			if k.Name == "maxRegistrationBytes" || k.Name == "tls.test.mode.enable" {
				rest = nil
			}
			if k.Name == "eventBusName" {
				rest = append(rest, "--store", "dynamodb:routes")
			}
			if k.Name == "discoveryAddr" {
				rest = append(rest, "--discoveryServers", "a:1")
			}
			if k.Name == "aclEnable" {
				rest = append(rest, "--aclFile", "accounts.yml")
			}
			path := file(t, k.Name+"="+texts[0]+"\n")
			env := k.Env() + "=" + texts[1]
			want := func(args, environ []string, text string, source Source) {
				t.Helper()
				c, err := Load(Namesrv, append(args, rest...), environ, "/home/op")
				if k.Name == "tls.config.file" { // names a file that is not there
					var faults Faults
					if !errors.As(err, &faults) || faults[0].Value != text || faults[0].Source != source {
						t.Errorf("%v, want a fault about %s from %s", err, text, source)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if k.Name == "configStorePath" && c.File != "" {
					text = c.File // whatever was said
				}
				if k.Secret {
					text = Mask
				}
				if v := c.values[k.Name]; v.text != text || v.source != source {
					t.Errorf("%q from %s, want %q from %s", v.text, v.source, text, source)
				}
			}
			want([]string{"-c", path}, nil, texts[0], Source("file "+path))
			want([]string{"-c", path}, []string{k.Env() + "="}, texts[0], Source("file "+path))
			want([]string{"-c", path}, []string{env}, texts[1], "environment "+Source(k.Env()))
			want([]string{"-c", path, "--" + k.Name, texts[2]}, []string{env}, texts[2], Source("flag --"+k.Name))
			want([]string{"--" + k.Name + "=" + texts[2], "--" + k.Name, texts[3]}, nil, texts[3], Source("flag --"+k.Name))
		})
	}
}

func TestAllFaultsAreListed(t *testing.T) {
	path := file(t, "listenPort=98765\nclusterTest=yes\nwaitSecondsForService=1m\nserverWorkerThreads=many\nlogLevel=trace\n")
	_, err := Load(Namesrv, []string{"-c", path, "--store", "redis:routes", "--productNamesrvAddr", "a:1;b", "--httpAddr", "8080",
		"--maxRegistrationBytes", "65536", "--bindAddress", "0.0.0.0:9876", "--aclEnable",
		"--discoveryServers", "a:1;:2;b:0"},
		[]string{"SIGNPOST_KV_CONFIG_PATH= ", "SIGNPOST_ALLOW_REMOTE_CONFIG=pprof;kvConfigPath;nope", "SIGNPOST_DRAIN_SECONDS=99999999999999999999"}, "/home/op")
	wantFaults(t, err,
		`listenPort "98765" (file `+path+`) must be from 0 to 65535`,
		`httpAddr "8080" (flag --httpAddr) must be host:port`,
		`waitSecondsForService "1m" (file `+path+`) must be a whole number`,
		`store "redis:routes" (flag --store) names a kind of store`,
		`clusterTest "yes" (file `+path+`) must be true or false`,
		`drainSeconds "99999999999999999999" (environment SIGNPOST_DRAIN_SECONDS) must be from 0 to`,
		`logLevel "trace" (file `+path+`) must be one of debug, info, warn, error`,
		`serverWorkerThreads "many" (file `+path+`) must be a whole number`,
		`bindAddress "0.0.0.0:9876" (flag --bindAddress) must be a host name`,
		`kvConfigPath "" (environment SIGNPOST_KV_CONFIG_PATH) is empty`,
		`maxRegistrationBytes "65536" (flag --maxRegistrationBytes) is less than maxFrameBytes, 16777216`,
		`productNamesrvAddr "a:1;b" (flag --productNamesrvAddr) must be host:port each: b`,
		`allowRemoteConfig "pprof;kvConfigPath;nope" (environment SIGNPOST_ALLOW_REMOTE_CONFIG) names kvConfigPath, which can never`,
		`allowRemoteConfig "pprof;kvConfigPath;nope" (environment SIGNPOST_ALLOW_REMOTE_CONFIG) names nope, which is not a key`,
		`aclEnable "true" (flag --aclEnable) needs aclFile`,
		`discoveryServers "a:1;:2;b:0" (flag --discoveryServers) must be host:port each: :2`,
		`discoveryServers "a:1;:2;b:0" (flag --discoveryServers) must have a port from 1 to 65535 each: b:0`,
	)
	if lines := strings.Count(err.Error(), "\n"); lines != 17 {
		t.Errorf("%d lines of faults: %v", lines, err)
	}
}

func TestOnlyTheValueInEffectIsChecked(t *testing.T) {
	c := mustLoad(t, []string{"-c", file(t, "listenPort=http\n")}, []string{"SIGNPOST_LISTEN_PORT=9878"})
	if c.Listen.Port != 9878 {
		t.Errorf("port %d", c.Listen.Port)
	}
}

func TestUnreadableFileIsAFaultAmongOthers(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	_, err := Load(Namesrv, []string{"-c", missing, "--listenPort", "x"}, nil, "/home/op")
	wantFaults(t, err, fmt.Sprintf(`configFile %q (flag --configFile) cannot be read: no such file`, missing), `listenPort "x"`)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not say that the file does not exist", err)
	}
	_, err = Load(Namesrv, nil, []string{"SIGNPOST_CONFIG_FILE=" + file(t, `a=\u12`)}, "/home/op")
	var faults Faults
	if !errors.As(err, &faults) || faults[0].Source != "environment SIGNPOST_CONFIG_FILE" || !strings.Contains(err.Error(), "malformed properties") {
		t.Errorf("%v", err)
	}
}

func TestStoreKinds(t *testing.T) {
	for text, want := range map[string]string{"memory": "", "/var/lib/signpost/routes.db": "/var/lib/signpost/routes.db", "routes.db": "routes.db", " memory ": ""} {
		if c := mustLoad(t, []string{"--store", text}, nil); c.Storage.Store.Path != want {
			t.Errorf("store %q: %+v", text, c.Storage.Store)
		}
	}
	if got := listing(t, mustLoad(t, []string{"--store", "memory"}, nil))["store"]; got != "memory" {
		t.Errorf("listed as %q", got)
	}
	_, err := Load(Namesrv, []string{"--store", ""}, nil, "/home/op")
	wantFaults(t, err, `store "" (flag --store) is empty`)
	_, err = Load(Namesrv, []string{"--store", "/x", "--kvConfigPath", "/x"}, nil, "/home/op")
	wantFaults(t, err, `store "/x" (flag --store) is the file of kvConfigPath`)
}

func TestProductAddresses(t *testing.T) {
	c := mustLoad(t, strings.Fields("--productNamesrvAddr 10.0.0.1:9876;[::1]:9877; --productAddressServer ns.example.com:8081"), nil)
	if want := []string{"10.0.0.1:9876", "[::1]:9877"}; !slices.Equal(c.Product.NamesrvAddrs, want) {
		t.Errorf("%q", c.Product.NamesrvAddrs)
	}
	for _, good := range []string{"ns.example.com", "10.0.0.1", "10.0.0.1:80", "[::1]:80"} {
		mustLoad(t, []string{"--productAddressServer", good}, nil)
	}
	for _, bad := range []string{"http://ns.example.com", "ns.example.com/rocketmq", "a b", "user@host"} {
		_, err := Load(Namesrv, []string{"--productAddressServer", bad}, nil, "/home/op")
		wantFaults(t, err, "productAddressServer")
	}
	wantNotices(t, mustLoad(t, []string{"--clusterTest"}, nil), "clusterTest is true, but")
	wantNotices(t, mustLoad(t, []string{"--clusterTest", "--productAddressServer", "a"}, nil))
}

// What the stack decides is said at a shim where it is set, and not elsewhere.
func TestRulesOfTheStack(t *testing.T) {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, k := range Keys() {
		if k.Stack == "" {
			continue
		}
		n++
		if !strings.Contains(string(template), "\n  "+k.Stack+":\n") || !strings.Contains(k.Meaning, k.Stack) {
			t.Errorf("%s: is %s a parameter of the stack? Does its meaning name it?", k.Name, k.Stack)
		}
		shim, err := Load(Shim, []string{"--endpoint", "https://x", "--" + k.Name, "true"}, nil, "/home/op")
		if err != nil {
			t.Fatal(err)
		}
		wantNotices(t, shim, k.Name+" is set here, but it is the API")
		wantNotices(t, mustLoad(t, []string{"--" + k.Name, "true"}, nil))
	}
	if n != 3 {
		t.Errorf("%d rules are the stack's", n)
	}
}

func TestRanges(t *testing.T) {
	for _, k := range Keys() {
		if !k.number() {
			continue
		}
		highest := k.Max
		if highest == 0 {
			highest = 1<<31 - 1
		}
		for _, n := range []int64{k.Min, highest} {
			if text, err := k.set(&Config{}, fmt.Sprintf(" %d\t", n)); err != nil || text != fmt.Sprint(n) {
				t.Errorf("%s: %d is %q, %v", k.Name, n, text, err)
			}
		}
		for _, n := range []int64{k.Min - 1, highest + 1} {
			if _, err := k.set(&Config{}, fmt.Sprint(n)); err == nil {
				t.Errorf("%s: %d is taken", k.Name, n)
			}
		}
	}
}

// Java keeps the default where a number of the file is empty, and takes an
// empty word of the TLS file for none.
func TestEmptyNumbersAndWordsOfFilesAreTheDefault(t *testing.T) {
	c := mustLoad(t, []string{"-c", file(t, "listenPort=\ntls.server.need.client.auth= \n")}, nil)
	if c.Listen.Port != 9876 || c.TLS.ClientAuth != ClientAuthNone || len(c.Settings()) > 0 {
		t.Errorf("%+v", c.Settings())
	}
	_, err := Load(Namesrv, []string{"--listenPort=", "--logLevel="}, nil, "/home/op")
	wantFaults(t, err, `listenPort ""`, `logLevel ""`)
}

func TestStores(t *testing.T) {
	for text, want := range map[string]Store{
		"memory":              {},
		"/var/lib/routes.db":  {Path: "/var/lib/routes.db"},
		"dynamodb:a.Table_-1": {Table: "a.Table_-1"},
		" dynamodb:abc ":      {Table: "abc"},
	} {
		c := mustLoad(t, []string{"--store", text}, nil)
		if c.Storage.Store != want {
			t.Errorf("%q: %+v, want %+v", text, c.Storage.Store, want)
		}
	}
	for _, text := range []string{"dynamodb:", "dynamodb:ab", "dynamodb:a/b/c", "dynamodb:" + strings.Repeat("t", 256)} {
		_, err := Load(Namesrv, []string{"--store", text}, nil, "/home/op")
		wantFaults(t, err, `store "`+text+`" (flag --store) names no DynamoDB table`)
	}
}
