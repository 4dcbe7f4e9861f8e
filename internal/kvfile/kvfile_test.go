package kvfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

type table = map[string]map[string]string

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What each text means was observed on the JSON readers that the NameServers
// 4.8.0, 4.9.7 and 5.3.3 bring along.
func TestLoadReadsWhatJavaReads(t *testing.T) {
	one := table{"a": {"k": "v"}}
	cases := map[string]struct {
		text string
		want table
	}{
		"as Java writes it":      {`{"configTable":{"ORDER_TOPIC_CONFIG":{"t":"b1:4;b2:4"},"ns":{}}}`, table{"ORDER_TOPIC_CONFIG": {"t": "b1:4;b2:4"}, "ns": {}}},
		"empty":                  {"", table{}},
		"blank":                  {" \n", table{}},
		"null":                   {"null", table{}},
		"no table":               {"{}", table{}},
		"null table":             {`{"configTable":null}`, table{}},
		"null namespace":         {`{"configTable":{"a":null}}`, table{}},
		"null value":             {`{"configTable":{"a":{"k":null}}}`, table{"a": {}}},
		"null as a key":          {`{"configTable":{null:{"k":"v"},"a":{null:"x","k":"v"}}}`, one},
		"the word null":          {`{"configTable":{"null":{"null":"null"}}}`, table{"null": {"null": "null"}}},
		"empty names":            {`{"configTable":{"":{"":""}}}`, table{"": {"": ""}}},
		"number":                 {`{"configTable":{"a":{"k":-12.50}}}`, table{"a": {"k": "-12.50"}}},
		"long number":            {`{"configTable":{"a":{"k":12345678901234567890}}}`, table{"a": {"k": "12345678901234567890"}}},
		"boolean":                {`{"configTable":{"a":{"k":true}}}`, table{"a": {"k": "true"}}},
		"object as value":        {`{"configTable":{"a":{"k":{"x": [1]}}}}`, table{"a": {"k": `{"x":[1]}`}}},
		"commas too many":        {`{"configTable":{,"a":{"k":"v",},},}`, one},
		"single quotes":          {`{'configTable':{'a':{'k':'v'}}}`, one},
		"names without quotes":   {`{configTable:{a:{k:"v"}}}`, one},
		"comments":               {"/* 1 */{\"configTable\":{// 2\n\"a\":/**/{\"k\":\"v\"}}}// 3", one},
		"byte order mark":        {"\uFEFF" + `{"configTable":{"a":{"k":"v"}}}`, one},
		"line ends":              {"{\r\n\t\"configTable\" : { \"a\" : { \"k\" : \"v\" } }\r\n}\r\n", one},
		"control character":      {"{\"configTable\":{\"a\":{\"k\":\"1\n2\"}}}", table{"a": {"k": "1\n2"}}},
		"zero bytes at the end":  {`{"configTable":{"a":{"k":"v"}}}` + "\x00\x00", one},
		"escapes":                {`{"configTable":{"a":{"k":"\u00e9\/\"\\\b\f\n\r\t\u0001\uD83D\ude00"}}}`, table{"a": {"k": "é/\"\\\b\f\n\r\t\x01😀"}}},
		"half a surrogate":       {`{"configTable":{"a":{"k":"\ud83d\u0041\ude00"}}}`, table{"a": {"k": "\uFFFDA\uFFFD"}}},
		"same key twice":         {`{"configTable":{"a":{"k":"u","k":"v"}}}`, one},
		"same namespace twice":   {`{"configTable":{"a":{"z":"u"},"a":{"k":"v"}}}`, one},
		"same table twice":       {`{"configTable":{"b":{"z":"u"}},"configTable":{"a":{"k":"v"}}}`, one},
		"other members":          {`{"x":[1,{"y":[]},"",null,-0.5e+3],"configTable":{"a":{"k":"v"}},"z":{}}`, one},
		"other case of the name": {`{"ConfigTable":{"a":{"k":"v"}}}`, one},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kvConfig.json")
			writeFile(t, path, c.text)
			got, err := Load(path)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("Load of %s = %v, %v, want %v", c.text, got, err, c.want)
			}
		})
	}
}

func TestLoadSaysWhereAndWhyAFileIsCorrupt(t *testing.T) {
	cases := map[string]struct {
		text   string
		offset int64
		reason string
	}{
		"cut off in a string":     {`{"configTable":{"a":{"k":"v`, 25, "closing quote"},
		"cut off in an object":    {`{"configTable":{"a":{"k":"v"}}`, 30, "the end of the file"},
		"cut off after a name":    {`{"configTable"`, 14, "the end of the file"},
		"cut off in an escape":    {`{"configTable":{"a":{"k":"\`, 26, "escape"},
		"cut off in a comment":    {`{}/* `, 2, "comment"},
		"text after the end":      {`{} x`, 3, "'x' after the end"},
		"a comma after the end":   {`{},`, 2, "',' after the end"},
		"only zero bytes":         {"\x00\x00\x00", 0, "the file should begin with {"},
		"a list":                  {`[]`, 0, "the file should begin with {"},
		"a table that is a text":  {`{"configTable":"x"}`, 15, "configTable should begin with {"},
		"a namespace of no keys":  {`{"configTable":{"a":"x"}}`, 20, `namespace "a" should begin with {`},
		"no comma":                {`{"configTable":{"a":{"k":"v" "l":"w"}}}`, 29, "should continue"},
		"no comma in a list":      {`{"x":[1 2]}`, 8, "should continue a list"},
		"no value":                {`{"configTable":{"a":{"k":}}}`, 25, "a value should begin"},
		"no colon":                {`{"configTable":{"a":{"k" "v"}}}`, 25, ": should follow"},
		"a number as a name":      {`{"configTable":{"a":{1:"v"}}}`, 21, "a name should begin"},
		"an unknown word":         {`{"configTable":{"a":{"k":yes}}}`, 25, "a value should begin"},
		"a hexadecimal number":    {`{"configTable":{"a":{"k":0x1p4}}}`, 25, "a value should begin"},
		"infinity":                {`{"configTable":{"a":{"k":Infinity}}}`, 25, "a value should begin"},
		"an unknown escape":       {`{"configTable":{"a":{"k":"\q"}}}`, 26, "escape"},
		"a short escape":          {`{"configTable":{"a":{"k":"\u00g0"}}}`, 26, "hexadecimal"},
		"another character set":   {"{\"configTable\":{\"a\":{\"k\":\"\xd6\xd0\"}}}", 26, "not UTF-8"},
		"a lax object as a value": {`{"configTable":{"a":{"k":{x:1}}}}`, 25, "not plain JSON"},
		"bottomless":              {`{"x":` + strings.Repeat("[", 100_000), 5 + maxDepth, "nested deeper"},
		"bottomless objects":      {`{"x":` + strings.Repeat(`{"":`, 100_000), 5 + 4*maxDepth, "nested deeper"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kvConfig.json")
			writeFile(t, path, c.text)
			got, err := Load(path)
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) {
				t.Fatalf("Load = %v, %v, want a CorruptError", got, err)
			}
			if corrupt.Path != path || corrupt.Offset != c.offset || !strings.Contains(corrupt.Reason, c.reason) || corrupt.Backup != "" {
				t.Errorf("Load: %+v, want offset %d and a reason with %q", corrupt, c.offset, c.reason)
			}
			if after := readFile(t, path); after != c.text {
				t.Errorf("Load changed the file to %q", after)
			}
		})
	}
}

func TestLoadOfAMissingFileIsEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "namesrv", "kvConfig.json")
	got, err := Load(path)
	if err != nil || got == nil || len(got) != 0 {
		t.Fatalf("Load = %v, %v", got, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load made a directory: %v", err)
	}
}

func TestLoadPointsToTheBackupOfACorruptFile(t *testing.T) {
	for _, text := range []string{"", "\n", `{"configTable":{"a`} {
		path := filepath.Join(t.TempDir(), "kvConfig.json")
		writeFile(t, path, text)
		writeFile(t, path+".bak", `{"configTable":{}}`)
		_, err := Load(path)
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || corrupt.Backup != path+".bak" || !strings.Contains(err.Error(), path+".bak") {
			t.Errorf("Load of %q with a backup: %v", text, err)
		}
	}
}

func TestLoadRefusesWhatIsNotAFile(t *testing.T) {
	dir := t.TempDir()
	if table, err := Load(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("Load of a directory = %v, %v", table, err)
	}
	if table, err := Load(os.DevNull); err == nil {
		t.Errorf("Load of a device = %v", table)
	}
}

func TestSizesAreLimited(t *testing.T) {
	const text = `{"configTable":{"a":{"k":"v"}}}`
	path := filepath.Join(t.TempDir(), "kvConfig.json")
	writeFile(t, path, text)
	if _, err := read(path, len(text)); err != nil {
		t.Error(err)
	}
	if _, err := read(path, len(text)-1); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file larger than the limit: %v", err)
	}
	if _, err := encode(table{"a": {"k": "v"}}, len(text)); err != nil {
		t.Error(err)
	}
	if _, err := encode(table{"a": {"k": "v"}}, len(text)-1); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a table larger than the limit: %v", err)
	}
}

// Whatever encoding/json makes of a file, Load makes of it too, and what was
// read is the same after Save and Load.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		`{"configTable":{"ORDER_TOPIC_CONFIG":{"topic":"b1:4;b2:4"},"ns":{}}}`,
		`{"configTable":{null:{k:1,'l':"\u00e9\ud83d\ude00"},},/**/"x":[{}]}//`,
		"\uFEFFnull\x00", `{"configTable":{"a":{"k":{"x":[1,2]}}}}`, "{\"configTable\":{\"a\":{\"k\":\"\xff\"}}}",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "kvConfig.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse(data)
		if want, ok := plain(data); ok && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("parse = %v, %v, want %v", got, err, want)
		}
		if err != nil {
			return
		}
		encoded, err := encode(got, MaxSize)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, encoded, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := Load(path)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("Load after Save = %v, %v, want %v", again, err, got)
		}
	})
}

// plain reads data with encoding/json; ok is false where that is known to
// differ: null, several tables, which it merges, other character sets, depth.
func plain(data []byte) (read table, ok bool) {
	var file struct {
		ConfigTable table `json:"configTable"`
	}
	text := strings.ToLower(string(data))
	if !utf8.Valid(data) || strings.Contains(text, "null") || strings.Count(text, "onfig") > 1 ||
		strings.Count(text, "[")+strings.Count(text, "{") > maxDepth || json.Unmarshal(data, &file) != nil {
		return nil, false
	}
	if file.ConfigTable == nil {
		return table{}, true
	}
	return file.ConfigTable, true
}
