package config

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// commandLine is what the arguments say.
type commandLine struct {
	configFile string
	print      bool
	keys       layer
}

// newFlagSet declares the flags of Java's mqnamesrv and one per key. Values
// are plain text here: whether they are valid is judged with all others.
func newFlagSet(program Program) *pflag.FlagSet {
	flags := pflag.NewFlagSet(string(program), pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	flags.StringP("configFile", "c", "", "properties file")
	flags.BoolP("printConfigItem", "p", false, "print the configuration and exit")
	flags.StringP("namesrvAddr", "n", "", "accepted as Java does, without meaning here")
	flags.BoolP("help", "h", false, "print this help and exit")
	flags.Bool("version", false, "print the version and exit")
	for _, k := range table {
		flags.String(k.Name, k.Default, k.Meaning)
	}
	return flags
}

// readArgs reads the arguments (without the program's name). It returns
// [ErrHelp], [ErrVersion] or a [*UsageError].
func readArgs(program Program, args []string) (commandLine, error) {
	flags := newFlagSet(program)
	if err := flags.Parse(spellOutBools(flags, args)); err != nil {
		return commandLine{}, &UsageError{err}
	}
	if flags.NArg() > 0 {
		return commandLine{}, &UsageError{fmt.Errorf("unexpected argument: %q", flags.Arg(0))}
	}
	if flags.Changed("help") {
		return commandLine{}, ErrHelp
	}
	if flags.Changed("version") {
		return commandLine{}, ErrVersion
	}
	// An empty name is a script's unset variable, not a wish for no file.
	if f := flags.Lookup("configFile"); f.Changed && f.Value.String() == "" {
		return commandLine{}, &UsageError{errors.New("flag needs a file: --configFile")}
	}
	cl := commandLine{
		configFile: flags.Lookup("configFile").Value.String(),
		print:      flags.Changed("printConfigItem"),
		keys: layer{
			values: map[string]string{},
			source: func(key string) Source { return Source("flag --" + key) },
		},
	}
	flags.Visit(func(f *pflag.Flag) {
		if _, ok := byName[f.Name]; ok {
			cl.keys.values[f.Name] = f.Value.String()
		}
	})
	return cl, nil
}

// spellOutBools lets a flag of Kind Bool stand alone for true, beside
// --key=false and --key false. pflag knows the first two only, and would take
// the last for true and a stray argument.
func spellOutBools(flags *pflag.FlagSet, args []string) []string {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, isLong := strings.CutPrefix(arg, "--")
		k := byName[name]
		switch {
		case k != nil && k.Kind == Bool:
			if i+1 < len(args) && isBool(args[i+1]) {
				i++
				arg += "=" + args[i]
			} else {
				arg += "=true"
			}
			out = append(out, arg)
		case takesNext(flags, arg, name, isLong) && i+1 < len(args):
			i++
			out = append(out, arg, args[i])
		default:
			out = append(out, arg)
		}
	}
	return out
}

// takesNext reports whether pflag takes the next argument for the value of
// arg, so that it is not looked at as a flag.
func takesNext(flags *pflag.FlagSet, arg, name string, isLong bool) bool {
	if isLong {
		f := flags.Lookup(name)
		return f != nil && f.NoOptDefVal == ""
	}
	return arg == "-c" || arg == "-n"
}

func isBool(s string) bool {
	return strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
}
