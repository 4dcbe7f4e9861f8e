package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestUpdateIsForbiddenUnlessAllowedByName(t *testing.T) {
	const black = "Can not update config in black list."
	const closed = "Can not update config that is not in allowRemoteConfig: "
	for _, c := range []struct {
		allow, body string
		want        string // the remark; empty when the update is taken
	}{
		{"", "enableTopicList=false", closed + "enableTopicList"},
		{"", "unknownKey=1\nenableTopicList=false", closed + "enableTopicList, unknownKey"},
		{"", "unknownKey=1", closed + "unknownKey"},
		{"", "", ""},
		{"", "# only a comment\n", ""},
		{"enableTopicList", "enableTopicList=false", ""},
		{"enableTopicList", "unknownKey=1", ""},
		{"enableTopicList", "enableTopicList=false\nlogLevel=debug", closed + "logLevel"},
		{"enableTopicList", "kvConfigPath=/etc/passwd\nlogLevel=debug", black},
		{"enableTopicList;logLevel", "logLevel=debug\nenableTopicList=false\nconfigStorePath=/x", black},
		{"logLevel", "configBlackList=", black},
		{"logLevel", "rocketmqHome=/x", black},
		{"logLevel", "allowRemoteConfig=listenPort", black},
		{"logLevel", "store=/x", black},
		{"logLevel", "tls.server.keyPath=/x", black},
		{"logLevel", "tls.server.keyPassword=x", black},
		{"logLevel;drainSeconds", "drainSeconds=1", black}, // configured, below
		{"logLevel", "blackUnknown=1", black},
	} {
		live := NewLive(mustLoad(t, []string{"--allowRemoteConfig", c.allow, "--configBlackList", "drainSeconds;blackUnknown"}, nil))
		before := live.Current().List()
		_, err := live.Update([]byte(c.body))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("allowed %q: %q: %v", c.allow, c.body, err)
		case c.want != "" && (!errors.Is(err, ErrForbidden) || err.Error() != c.want):
			t.Errorf("allowed %q: %q: error %v, want %s", c.allow, c.body, err, c.want)
		case c.want != "" && live.Current().List() != before:
			t.Errorf("allowed %q: %q was refused and changed something", c.allow, c.body)
		}
	}
}

func TestUpdateOfNothing(t *testing.T) {
	live := NewLive(mustLoad(t, nil, nil))
	c := live.Current()
	if done, err := live.Update(nil); err != nil || len(done.Changed) > 0 || live.Current() != c {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestMalformedUpdate(t *testing.T) {
	live := NewLive(mustLoad(t, []string{"--allowRemoteConfig", "logLevel"}, nil))
	for _, body := range []string{`logLevel=\u00`, "logLevel=debug\n" + strings.Repeat("#", maxPropertiesBytes)} {
		if _, err := live.Update([]byte(body)); !errors.Is(err, ErrMalformed) || err.Error() != "string2Properties error" {
			t.Errorf("%.20q: %v", body, err)
		}
	}
	if live.Level() != slog.LevelInfo {
		t.Error("a malformed update changed something")
	}
}

// All live switches of Java 5.x, and the log level.
func TestUpdateHasEffectAtOnce(t *testing.T) {
	var allowed []string
	for _, k := range Keys() {
		if k.Live {
			allowed = append(allowed, k.Name)
		}
	}
	live := NewLive(mustLoad(t, []string{"--allowRemoteConfig", strings.Join(allowed, ",")}, nil))
	old := live.Current()
	done, err := live.Update([]byte(`orderMessageEnable=true
returnOrderTopicConfigToBroker=false
supportActingMaster=TRUE
notifyMinBrokerIdChanged= true
deleteTopicWithBrokerRegistration=true
enableTopicList=False
enableAllTopicList=false
needWaitForService=true
waitSecondsForService=7
logLevel=debug`))
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Changed) != len(allowed) || slices.ContainsFunc(done.Changed, func(c Changed) bool { return !c.Live || c.Old == c.New }) {
		t.Errorf("%+v", done)
	}
	want := Rules{
		OrderMessageEnable: true, SupportActingMaster: true, NotifyMinBrokerIDChanged: true, DeleteTopicWithBrokerRegistration: true,
		NeedWaitForService: true, WaitForService: 7 * time.Second, BrokerTimeout: 2 * time.Minute, ScanInterval: 5 * time.Second,
	}
	if got := live.Current(); got.Rules != want || got.Log.Level != slog.LevelDebug || live.Level() != slog.LevelDebug {
		t.Errorf("%+v", got)
	}
	if listed := listing(t, live.Current()); listed["logLevel"] != "debug" || listed["enableTopicList"] != "false" || listed["supportActingMaster"] != "true" {
		t.Errorf("%q", listed)
	}
	if old.Rules.OrderMessageEnable || listing(t, old)["logLevel"] != "info" {
		t.Error("a configuration that was handed out has changed")
	}
	if s := live.Current().Settings(); s[1].Source != SourceRemote {
		t.Errorf("%+v", s)
	}
}

// Java leaves a number that it cannot read as it was and answers success; here
// that goes for every value. Names it does not know it ignores.
func TestUpdateIgnoresWhatItCannotRead(t *testing.T) {
	live := NewLive(mustLoad(t, []string{"--allowRemoteConfig", "waitSecondsForService;enableTopicList;enableAllTopicList;logLevel;listenPort"}, nil))
	done, err := live.Update([]byte("waitSecondsForService=soon\nenableTopicList=yes\nlogLevel=loud\nlistenPort=70000\nenableAllTopicList=false\nzonk=1"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []Changed{{Key: "enableAllTopicList", Old: "true", New: "false", Live: true}}; !slices.Equal(done.Changed, want) {
		t.Errorf("changed %+v", done.Changed)
	}
	if got := fmt.Sprint(done.Unknown); got != "[zonk]" {
		t.Errorf("unknown %s", got)
	}
	wantFaults(t, done.Ignored, `enableTopicList "yes" (remote change)`, `listenPort "70000"`, `logLevel "loud"`, `waitSecondsForService "soon"`)
	c := live.Current()
	if c.Rules.WaitForService != 45*time.Second || !c.Rules.EnableTopicList || c.Rules.EnableAllTopicList || c.Listen.Port != 9876 {
		t.Errorf("%+v", c)
	}
}

// A value that is fine by itself must not make the next start fail.
func TestUpdateThatCannotWorkIsRefused(t *testing.T) {
	path := file(t, "")
	live := NewLive(mustLoad(t, []string{"-c", path, "--allowRemoteConfig", "maxFrameBytes;logLevel"}, nil))
	_, err := live.Update([]byte("maxFrameBytes=1000000000\nlogLevel=debug"))
	wantFaults(t, err, "maxRegistrationBytes")
	if live.Level() != slog.LevelInfo || content(t, path) != "" {
		t.Error("a refused update changed something")
	}
}

func TestUpdateIsWrittenToTheFile(t *testing.T) {
	const before = "# ours\r\nlistenPort=9877\n\n! lists are costly\nenableTopicList : tr\\\n   ue\nlogLevel=warn\nlogLevel=error\nkey\\ of\\ old=\xe9\nrocketmqHome=/opt/rocketmq"
	path := file(t, before)
	load := func() *Config {
		return mustLoad(t, []string{"-c", path, "--allowRemoteConfig", "enableTopicList;enableAllTopicList;logLevel;productEnvName"}, nil)
	}
	live := NewLive(load())
	if _, err := live.Update([]byte("enableTopicList=false\nlogLevel=INFO\nproductEnvName=caf\u00e9 \\\\x\nenableAllTopicList=true")); err != nil {
		t.Fatal(err)
	}
	const after = "# ours\r\nlistenPort=9877\n\n! lists are costly\nenableTopicList=false\nlogLevel=warn\nlogLevel=info\nkey\\ of\\ old=\xe9\nrocketmqHome=/opt/rocketmq\nproductEnvName=caf\\u00e9 \\\\x\n"
	if got := content(t, path); got != after {
		t.Errorf("got  %q\nwant %q", got, after)
	}
	if got := content(t, path+".bak"); got != before {
		t.Errorf("backup %q", got)
	}
	for _, p := range []string{path, path + ".bak"} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
	// The next start sees what was in effect.
	if got, want := load().List(), live.Current().List(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// The same again writes nothing.
	if _, err := live.Update([]byte("enableTopicList=false")); err != nil || content(t, path+".bak") != before {
		t.Errorf("%v, backup %q", err, content(t, path+".bak"))
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(names) != 2 {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(names) != 0 {
		t.Errorf("%q, %v", names, err)
	}
}

func TestUpdateOfALinkedFile(t *testing.T) {
	target := file(t, "logLevel=warn\n")
	link := filepath.Join(t.TempDir(), "namesrv.conf")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	live := NewLive(mustLoad(t, []string{"-c", link, "--allowRemoteConfig", "logLevel"}, nil))
	if _, err := live.Update([]byte("logLevel=debug")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if got := content(t, target); got != "logLevel=debug\n" {
		t.Errorf("%q", got)
	}
}

func TestUpdateThatCannotBeSavedChangesNothing(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"file is gone": os.Remove,
		"file became a directory": func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		},
		"file became malformed": func(path string) error { return os.WriteFile(path, []byte(`a=\u1`), 0o600) },
		"file became too long": func(path string) error {
			return os.WriteFile(path, make([]byte, maxPropertiesBytes+1), 0o600)
		},
		"backup is a directory": func(path string) error {
			return errors.Join(os.Mkdir(path+".bak", 0o700), os.WriteFile(path+".bak/x", nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, "logLevel=warn\n")
			live := NewLive(mustLoad(t, []string{"-c", path, "--allowRemoteConfig", "logLevel"}, nil))
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			_, err := live.Update([]byte("logLevel=debug"))
			if err == nil || errors.Is(err, ErrForbidden) || errors.Is(err, ErrMalformed) {
				t.Errorf("error %v", err)
			}
			if live.Level() != slog.LevelWarn {
				t.Errorf("level %v", live.Level())
			}
			if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(names) > 0 {
				t.Errorf("left over: %q", names)
			}
		})
	}
}

func TestConcurrentUpdatesAllCount(t *testing.T) {
	path := file(t, "")
	keys := []string{"orderMessageEnable", "supportActingMaster", "notifyMinBrokerIdChanged", "needWaitForService"}
	live := NewLive(mustLoad(t, []string{"-c", path, "--allowRemoteConfig", strings.Join(keys, ";")}, nil))
	var wg sync.WaitGroup
	for _, key := range keys {
		wg.Go(func() {
			if _, err := live.Update([]byte(key + "=true")); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { _ = live.Current().List() })
	}
	wg.Wait()
	saved := listing(t, mustLoad(t, []string{"-c", path}, nil))
	for _, key := range keys {
		if now := listing(t, live.Current())[key]; now != "true" || saved[key] != "true" {
			t.Errorf("%s is %s, saved %s", key, now, saved[key])
		}
	}
}

func TestListingCannotBeForged(t *testing.T) {
	c := mustLoad(t, []string{"-c", file(t, "odd\\nkey=1\\nlistenPort=1\nproductEnvName=a\\r\\nb\n")}, nil)
	listed := listing(t, c)
	if listed["listenPort"] != "9876" || listed[`odd\nkey`] != `1\nlistenPort=1` || listed["productEnvName"] != `a\r\nb` {
		t.Errorf("%q", listed)
	}
	lines := strings.Split(strings.TrimSuffix(c.List(), "\n"), "\n")
	keys := make([]string, len(lines))
	for i, line := range lines {
		keys[i], _, _ = strings.Cut(line, "=")
	}
	if !slices.IsSorted(keys) {
		t.Errorf("not sorted: %q", keys)
	}
}
