package config

import (
	"strings"
	"testing"
)

func TestSwitchesMayStandAlone(t *testing.T) {
	for _, c := range []struct {
		args                string
		clusterTest, noList bool
	}{
		{"--clusterTest", true, false},
		{"--clusterTest true", true, false},
		{"--clusterTest=TRUE", true, false},
		{"--clusterTest --enableTopicList false", true, true},
		{"--enableTopicList=false --clusterTest", true, true},
		{"--clusterTest false", false, false},
		{"--clusterTest --listenPort 1", true, false},
		{"--productEnvName --clusterTest", false, false}, // the value of productEnvName
	} {
		cfg, err := Load(Namesrv, strings.Fields(c.args), nil, "/home/op")
		if err != nil || cfg.Product.ClusterTest != c.clusterTest || cfg.Rules.EnableTopicList == c.noList {
			t.Errorf("%s: %+v, %v", c.args, cfg, err)
		}
	}
	for _, args := range []string{"--clusterTest yes", "--configFile= --clusterTest", "-- --clusterTest", "--clusterTest true false"} {
		if _, err := Load(Namesrv, strings.Fields(args), nil, "/home/op"); ExitCode(err) != 1 {
			t.Errorf("%s: %v", args, err)
		}
	}
}
