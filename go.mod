module signpost

go 1.26.8

require (
	github.com/magiconair/properties v1.8.10 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
)
