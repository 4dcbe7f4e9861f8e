package config

// Source says where a value came from, in words for the log.
type Source string

// The sources that have no name of their own.
const (
	SourceDefault Source = "default"
	SourceRemote  Source = "remote change"
)

// layer is one source of values: key to text as given.
type layer struct {
	values map[string]string
	source func(key string) Source
	lax    bool // an empty number or word is as good as none, as in a Java file
}

// fileLayer is a properties file.
func fileLayer(path string, values map[string]string) layer {
	source := Source("file " + path)
	return layer{values: values, source: func(string) Source { return source }, lax: true}
}

// lookup finds the value of a key, if the layer has one.
func (l layer) lookup(k *Key) (text string, ok bool) {
	text, ok = l.values[k.Name]
	if ok && l.lax && text == "" && (k.number() || k.Kind == Word) {
		return "", false
	}
	return text, ok
}

// number reports whether the key's value is a number.
func (k Key) number() bool {
	return k.Kind == Int || k.Kind == Bytes || k.Kind == Millis || k.Kind == Seconds
}
