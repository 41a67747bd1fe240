package deps

import (
	_ "github.com/ProtonMail/go-crypto/openpgp"
	_ "github.com/cavaliergopher/rpm"
	_ "github.com/google/rpmpack"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/sirupsen/logrus"
	_ "github.com/ulikunitz/xz"
	_ "github.com/ulikunitz/xz/lzma"
	_ "github.com/urfave/cli/v2"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/term"
	_ "modernc.org/sqlite"
)
