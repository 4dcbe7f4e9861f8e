package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"signpost/core"
	"signpost/e2e/golden"
	"signpost/internal/daemon/daemontest"
)

// replaysAtOnce is far above the number of processors: a replay mostly waits.
const replaysAtOnce = 32

// TestAnswersAreThoseOfTheRealServers replays the captures against shims, each
// over an API of its own, whose rules are the captures' properties.
func TestAnswersAreThoseOfTheRealServers(t *testing.T) {
	j := golden.NewJudge(ofTheShim...)
	replays := golden.Replays{AtOnce: replaysAtOnce, Again: true, Start: func(dir, file string, props []string) (golden.Server, error) {
		on := func(key string) bool { return slices.Contains(props, key+"=true") }
		c := newCloud(t, core.Rules{
			OrderMessages: on("orderMessageEnable"), ActingMaster: on("supportActingMaster"),
			DeleteTopicsOnRegistration: on("deleteTopicWithBrokerRegistration"),
		})
		p, err := daemontest.Start(t, run, c.flags(dir, "-c", file, "--stateFile", "")...)
		if err != nil {
			return golden.Server{}, err
		}
		return golden.Server{Addr: p.Addr, Stop: p.Stop}, nil
	}}
	for _, d := range replays.All(t, j) {
		if !j.Accepts(d) {
			t.Errorf("%s", d)
		}
	}
}

// ofTheShim is what differs beside that.
var ofTheShim = []golden.Rule{
	{Reason: golden.OfTheTest, Cases: []golden.Where{
		{Keys: `config[^/]*/listing[^/]*/body\.(beatMillis|compress|endpoint|signing|stateFile)`},
	}},
	{Reason: "The configuration of a shim (319) lists its own keys, and neither `kvConfigPath` nor `scanNotActiveBrokerInterval`.", Cases: []golden.Where{
		{Keys: `config[^/]*/listing[^/]*/body\.(kvConfigPath|scanNotActiveBrokerInterval)`},
	}},
	{Reason: "Rules are the API's: a remote change (318) of `orderMessageEnable` at a shim does not change its routes.", Cases: []golden.Where{
		{Keys: `config/route-(not-)?ordered/body\.orderTopicConf`},
	}},
	{Reason: "A slave that becomes the lowest of its group is heard in full at once: a NameServer hears it with its next registration.", Cases: []golden.Where{
		{Versions: []string{"5.3.3"}, Keys: `prime-slave/(true|false)-prime-left/body\.queueDatas\[broker-(true|false)\]\.(read|write)QueueNums`},
	}},
	{Reason: "A shim knows no topic, namespace or key whose name has a control character: the API has no such names.", Cases: []golden.Where{
		{Keys: `route-names/route-(4|10)/(code|remark|body)`},
	}},
}

// TestCompatTellsWhatDiffers keeps COMPAT.md and ofTheShim together.
func TestCompatTellsWhatDiffers(t *testing.T) {
	text, err := os.ReadFile("../../COMPAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ofTheShim {
		if !strings.Contains(string(text), r.Reason) {
			t.Errorf("COMPAT.md does not say %q", r.Reason)
		}
	}
}
