package config

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// javaDefaults are the fields of NamesrvConfig and NettyServerConfig of 4.8.0,
// 4.9.7 and 5.3.3 together, with 5.3.3's defaults; rocketmqHome has none.
const javaDefaults = `bindAddress=0.0.0.0
clientRequestThreadPoolNums=8
clientRequestThreadPoolQueueCapacity=50000
clusterTest=false
configBlackList=configBlackList;configStorePath;kvConfigPath
configStorePath=/home/op/namesrv/namesrv.properties
defaultThreadPoolNums=16
defaultThreadPoolQueueCapacity=10000
deleteTopicWithBrokerRegistration=false
enableAllTopicList=true
enableControllerInNamesrv=false
enableShutdownGracefully=false
enableTopicList=true
kvConfigPath=/home/op/namesrv/kvConfig.json
listenPort=9876
needWaitForService=false
notifyMinBrokerIdChanged=false
orderMessageEnable=false
productEnvName=center
returnOrderTopicConfigToBroker=true
scanNotActiveBrokerInterval=5000
serverAsyncSemaphoreValue=64
serverCallbackExecutorThreads=0
serverChannelMaxIdleTimeSeconds=120
serverNettyWorkerGroupEnable=true
serverOnewaySemaphoreValue=256
serverPooledByteBufAllocatorEnable=true
serverSelectorThreads=3
serverSocketBacklog=1024
serverSocketRcvBufSize=0
serverSocketSndBufSize=0
serverWorkerThreads=8
shutdownWaitTimeSeconds=30
supportActingMaster=false
unRegisterBrokerQueueCapacity=3000
useEpollNativeSelector=false
waitSecondsForService=45
writeBufferHighWaterMark=0
writeBufferLowWaterMark=0
`

func TestEveryJavaKeyIsListedWithItsDefault(t *testing.T) {
	listed := listing(t, mustLoad(t, nil, nil))
	for line := range strings.Lines(javaDefaults) {
		key, want, _ := strings.Cut(strings.TrimSpace(line), "=")
		if got, ok := listed[key]; !ok || got != want {
			t.Errorf("%s=%s (listed: %v), want %s", key, got, ok, want)
		}
	}
	if _, ok := listed["rocketmqHome"]; ok {
		t.Error("rocketmqHome is listed although nobody set it")
	}
}

func TestTableHoldsTogether(t *testing.T) {
	seen := map[string]bool{}
	shownGroups := map[Group]bool{}
	for _, g := range groups {
		shownGroups[g] = true
	}
	for _, k := range Keys() {
		for _, name := range []string{k.Name, k.Env()} {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if !shownGroups[k.Group] {
			t.Errorf("%s: group %q is not shown", k.Name, k.Group)
		}
		if k.Meaning == "" || strings.HasSuffix(k.Meaning, ".") || strings.Contains(k.Meaning, "|") {
			t.Errorf("%s: meaning %q", k.Name, k.Meaning)
		}
		if (k.Kind == Word) != (len(k.Words) > 0) {
			t.Errorf("%s: kind %s with words %v", k.Name, k.Kind, k.Words)
		}
		if looksSecret(k.Name) && !k.Secret && k.Kind != Path {
			t.Errorf("%s is not a secret", k.Name)
		}
		if k.Live && (k.protected() || k.Inert) {
			t.Errorf("%s is live, but can never be changed", k.Name)
		}
	}
}

// Each key must have a place of its own: a row that was copied and not changed
// would set another key's field.
func TestEveryKeyHasItsOwnPlace(t *testing.T) {
	c := &Config{}
	places := map[any]string{}
	for _, k := range Keys() {
		if k.Inert {
			continue
		}
		if other := places[k.at(c)]; other != "" {
			t.Errorf("%s and %s share a place", k.Name, other)
		}
		places[k.at(c)] = k.Name
	}
}

func TestProtectedKeys(t *testing.T) {
	want := map[string]bool{
		"kvConfigPath": true, "configStorePath": true, "rocketmqHome": true, "configBlackList": true, // Java's four
		"allowRemoteConfig": true, "store": true, "aclEnable": true, "aclFile": true,
		"endpoint": true, "region": true, "gateway": true, "signing": true, "tokenFile": true, "stateFile": true, "compress": true,
		"discoveryAddr": true, "discoveryServers": true, "addressMapFile": true,
		"tls.server.certPath": true, "tls.server.keyPath": true, "tls.server.keyPassword": true,
		"tls.server.trustCertPath": true, "tls.config.file": true,
		"tls.client.keyPath": true, "tls.client.keyPassword": true, "tls.client.certPath": true,
		"tls.client.trustCertPath": true,
	}
	for _, k := range Keys() {
		if k.protected() != want[k.Name] {
			t.Errorf("%s: protected is %v", k.Name, k.protected())
		}
	}
}

func TestEnvironmentNames(t *testing.T) {
	for name, want := range map[string]string{
		"listenPort":                        "SIGNPOST_LISTEN_PORT",
		"pprof":                             "SIGNPOST_PPROF",
		"notifyMinBrokerIdChanged":          "SIGNPOST_NOTIFY_MIN_BROKER_ID_CHANGED",
		"tls.server.keyPassword":            "SIGNPOST_TLS_SERVER_KEY_PASSWORD",
		"tls.server.need.client.auth":       "SIGNPOST_TLS_SERVER_NEED_CLIENT_AUTH",
		"deleteTopicWithBrokerRegistration": "SIGNPOST_DELETE_TOPIC_WITH_BROKER_REGISTRATION",
	} {
		if got := byName[name].Env(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	form := regexp.MustCompile(`^SIGNPOST(_[A-Z0-9]+)+$`)
	for _, k := range Keys() {
		if !form.MatchString(k.Env()) || serviceLink.MatchString(k.Env()) {
			t.Errorf("%s: %s", k.Name, k.Env())
		}
	}
}

func TestHelpAndMarkdownNameEveryKey(t *testing.T) {
	help, table := Help(Namesrv), Markdown()
	for _, k := range Keys() {
		if !regexp.MustCompile(`[ -]` + regexp.QuoteMeta(k.Name) + `[ \n]`).MatchString(help) {
			t.Errorf("help does not name %s", k.Name)
		}
		if !strings.Contains(table, "`"+k.Name+"`") {
			t.Errorf("the table does not name %s", k.Name)
		}
	}
	for line := range strings.Lines(help) {
		if len(line) > helpWidth+1 {
			t.Errorf("help is wider than %d: %s", helpWidth, line)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"nothing":            {nil, 0},
		"help":               {[]string{"-h"}, 0},
		"help, long":         {[]string{"--help"}, 0},
		"version":            {[]string{"--version"}, 0},
		"print":              {[]string{"-p"}, 0},
		"unused":             {[]string{"-n", "127.0.0.1:9876"}, 0},
		"unknown flag":       {[]string{"--listenport", "1"}, 1},
		"unknown short":      {[]string{"-x"}, 1},
		"unknown and help":   {[]string{"-h", "-x"}, 1},
		"no value":           {[]string{"--listenPort"}, 1},
		"stray argument":     {[]string{"start"}, 1},
		"empty file name":    {[]string{"-c", ""}, 1},
		"missing file":       {[]string{"-c", "/nonexistent/namesrv.conf"}, 255},
		"missing and print":  {[]string{"-p", "-c", "/nonexistent/namesrv.conf"}, 255},
		"invalid value":      {[]string{"--listenPort", "http"}, 255},
		"a directory":        {[]string{"-c", "/"}, 255},
		"nobody can connect": {[]string{"--tls.server.mode", "enforcing", "--tls.test.mode.enable", "false"}, 255},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(Namesrv, c.args, nil, "/home/op")
			if got := ExitCode(err); got != c.want {
				t.Errorf("exit code %d, want %d (%v)", got, c.want, err)
			}
		})
	}
	if got := ExitCode(errors.New("address in use")); got != 255 {
		t.Errorf("a failed start exits with %d", got)
	}
}
