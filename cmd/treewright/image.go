package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/composer"
	"github.com/treewright/treewright/pkg/units"
)

// diskFlags are those that shape a disk, of image and build.
func diskFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "format", Usage: "comma-separated `LIST` of qcow2, vdi, openstack, raw (default: the treefile's images)"},
		&cli.StringFlag{Name: "size", Usage: "virtual `SIZE` of the disk, e.g. 10GiB (default: the treefile's, else what the content needs)"},
		&cli.StringFlag{Name: "stateroot", Usage: "`NAME` of the stateroot (default: the treefile's, else the os-release ID)"},
		&cli.StringSliceFlag{Name: "karg", Usage: "kernel `ARGUMENT`, behind the treefile's"},
		&cli.StringFlag{Name: "ref", Usage: "`REF` that the host follows (default: the one composed)"},
		&cli.StringFlag{Name: "remote", Usage: "`NAME=URL` where the host gets its upgrades"},
		&cli.StringFlag{Name: "firmware", Usage: "comma-separated `LIST` of bios, uefi (default: those the tree has a boot loader for)"},
	}
}

func diskOptions(c *cli.Context) (composer.DiskOptions, error) {
	o := composer.DiskOptions{
		Formats: commaList(c.String("format")), Stateroot: c.String("stateroot"), KernelArgs: c.StringSlice("karg"),
		Ref: c.String("ref"), Firmware: commaList(c.String("firmware")),
	}
	if s := c.String("size"); s != "" {
		size, err := units.Parse(s)
		if err != nil {
			return o, usagef("--size: %v", err)
		}
		o.Size = size
	}
	if s := c.String("remote"); s != "" {
		name, url, err := splitPair("remote", s)
		if err != nil {
			return o, err
		}
		o.RemoteName, o.RemoteURL = name, url
	}
	return o, nil
}

func commaList(s string) (out []string) {
	for _, e := range strings.Split(s, ",") {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}

func imageCommand() *cli.Command {
	return &cli.Command{
		Name: "image", ArgsUsage: "REV", Usage: "make disk images from a commit",
		Description: `REV is a ref or a checksum in the repository. Each format is one file, with the
architecture in its name. No root, no mount, no temporary disk.`,
		Flags: append(sharedFlags(diskFlags()...),
			&cli.PathFlag{Name: "output", Value: ".", Usage: "`DIR` for the images; with one format it may be a file"},
		),
		Action: func(c *cli.Context) error {
			if err := nArgs(c, 1, 1); err != nil {
				return err
			}
			cfg, err := config(c)
			if err != nil {
				return err
			}
			disk, err := diskOptions(c)
			if err != nil {
				return err
			}
			report, err := composer.Image(c.Context, composer.ImageOptions{
				Config: cfg, DiskOptions: disk, Rev: c.Args().First(), Output: c.Path("output"),
			})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c, report)
			}
			for _, i := range report.Images {
				printImage(c, i)
			}
			return nil
		},
	}
}

func printImage(c *cli.Context, i composer.ImageFile) {
	fmt.Fprintf(c.App.Writer, "%-9s %s  %s, %s on disk\n", i.Format, i.Path, units.Bytes(i.VirtualSize), units.Bytes(i.Size))
}
