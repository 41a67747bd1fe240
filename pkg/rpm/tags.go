package rpm

// Tags of the signature header.
const (
	tagHeaderSignatures = 62
	tagSigDSA           = 267 // also ECDSA and EdDSA
	tagSigRSA           = 268
	tagSigSHA1          = 269
	tagSigSHA256        = 273
	tagSigOpenPGP       = 278
	tagSigSHA3          = 279
	tagSigPGP           = 1002
	tagSigMD5           = 1004
	tagSigGPG           = 1005
)

// Tags of the main header.
const (
	tagHeaderImmutable   = 63
	tagName              = 1000
	tagVersion           = 1001
	tagRelease           = 1002
	tagEpoch             = 1003
	tagSummary           = 1004
	tagDescription       = 1005
	tagBuildTime         = 1006
	tagBuildHost         = 1007
	tagSize              = 1009
	tagVendor            = 1011
	tagLicense           = 1014
	tagPackager          = 1015
	tagGroup             = 1016
	tagURL               = 1020
	tagArch              = 1022
	tagOldFilenames      = 1027
	tagFileSizes         = 1028
	tagFileModes         = 1030
	tagFileRdevs         = 1033
	tagFileMtimes        = 1034
	tagFileDigests       = 1035
	tagFileLinktos       = 1036
	tagFileFlags         = 1037
	tagFileUserNames     = 1039
	tagFileGroupNames    = 1040
	tagSourceRPM         = 1044
	tagFileDevices       = 1095
	tagFileInodes        = 1096
	tagFileLangs         = 1097
	tagDirIndexes        = 1116
	tagBasenames         = 1117
	tagDirnames          = 1118
	tagPayloadFormat     = 1124
	tagPayloadCompressor = 1125
	tagFileColors        = 1140
	tagLongFileSizes     = 5008
	tagLongSize          = 5009
	tagFileCaps          = 5010
	tagFileDigestAlgo    = 5011
	tagPayloadDigest     = 5092
	tagPayloadDigestAlgo = 5093
	tagPayloadDigestAlt  = 5097
	tagPayloadSHA512     = 5121
	tagPayloadSHA512Alt  = 5122
	tagPayloadSHA3       = 5123
	tagPayloadSHA3Alt    = 5124
)

// depTags are the three parallel arrays of a kind of dependency.
type depTags struct{ name, flags, version int }

var (
	providesTags    = depTags{1047, 1112, 1113}
	requiresTags    = depTags{1049, 1048, 1050}
	conflictsTags   = depTags{1054, 1053, 1055}
	obsoletesTags   = depTags{1090, 1114, 1115}
	recommendsTags  = depTags{5046, 5048, 5047}
	suggestsTags    = depTags{5049, 5051, 5050}
	supplementsTags = depTags{5052, 5054, 5053}
	enhancesTags    = depTags{5055, 5057, 5056}
)
