module signpost

go 1.26.8

require (
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/magiconair/properties v1.8.10 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)
