//! Values in and out of range, and configurations as text.

use crate::resnet::Kind;
use crate::squeezenet::Version;
use crate::vgg::Net;
use crate::*;

#[test]
fn configurations_survive_json_and_refuse_strange_keys() {
    for network in NETWORKS {
        for config in (network.samples)() {
            let text = serde_json::to_string(&config).unwrap();
            assert!(text.starts_with(&format!("{{\"{}\":", network.name)), "{text}");
            assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
            let strange = text.replacen(":{\"", ":{\"strange\":1,\"", 1);
            assert!(serde_json::from_str::<Config>(&strange).unwrap_err().to_string().contains("strange"));
        }
    }
}

#[test]
fn values_out_of_range_are_named() {
    let srcnn = srcnn::Config::paper(4);
    let srresnet = srresnet::Config::paper(4);
    let unet = unet_discriminator::Config { colors: 3, channels: 64 };
    let vgg_style = vgg_style_discriminator::Config { patch: 128, colors: 3, channels: 64 };
    let dcgan = dcgan_generator::Config { latent: 100, channels: 64, colors: 3 };
    let judge = dcgan_discriminator::Config { colors: 3, channels: 64 };
    let patchgan = patchgan_discriminator::Config { colors: 3, channels: 64, layers: 3 };
    let msrresnet = msrresnet::Config::paper(4);
    let edsr = edsr::Config::baseline(4);
    let rcan = rcan::Config::paper(4);
    let fsrcnn = fsrcnn::Config::paper(4);
    let rrdbnet = rrdbnet::Config::paper(4);
    let densenet = densenet::Config::paper(32, [6, 12, 24, 16]);
    let basic = resnet::Config::paper(Kind::Basic, [2, 2, 2, 2]);
    let bottleneck = resnet::Config { width: 513, ..resnet::Config::paper(Kind::Bottleneck, [3, 4, 6, 3]) };
    let wrong = [
        (Config::Srcnn(srcnn::Config { scale: 5, ..srcnn }), "srcnn.scale"),
        (Config::Srcnn(srcnn::Config { kernels: [9, 2, 5], ..srcnn }), "srcnn.kernels"),
        (Config::Srcnn(srcnn::Config { channels: [64, 0], ..srcnn }), "srcnn.channels"),
        (Config::Srresnet(srresnet::Config { scale: 3, ..srresnet }), "srresnet.scale"),
        (Config::Srresnet(srresnet::Config { blocks: 65, ..srresnet }), "srresnet.blocks"),
        (Config::Srresnet(srresnet::Config { channels: -1, ..srresnet }), "srresnet.channels"),
        (unet_discriminator::Config { colors: 0, ..unet }.into(), "unet_discriminator.colors"),
        (unet_discriminator::Config { channels: 257, ..unet }.into(), "unet_discriminator.channels"),
        (vgg_style_discriminator::Config { patch: 192, ..vgg_style }.into(), "vgg_style_discriminator.patch"),
        (vgg_style_discriminator::Config { colors: 17, ..vgg_style }.into(), "vgg_style_discriminator.colors"),
        (vgg_style_discriminator::Config { channels: 0, ..vgg_style }.into(), "vgg_style_discriminator.channels"),
        (patchgan_discriminator::Config { colors: 0, ..patchgan }.into(), "patchgan_discriminator.colors"),
        (patchgan_discriminator::Config { channels: 257, ..patchgan }.into(), "patchgan_discriminator.channels"),
        (patchgan_discriminator::Config { layers: 7, ..patchgan }.into(), "patchgan_discriminator.layers"),
        (leftthomas_discriminator::Config { channels: 0 }.into(), "leftthomas_discriminator.channels"),
        (dcgan_generator::Config { latent: 0, ..dcgan }.into(), "dcgan_generator.latent"),
        (dcgan_generator::Config { channels: 0, ..dcgan }.into(), "dcgan_generator.channels"),
        (dcgan_generator::Config { colors: 0, ..dcgan }.into(), "dcgan_generator.colors"),
        (dcgan_discriminator::Config { colors: -1, ..judge }.into(), "dcgan_discriminator.colors"),
        (dcgan_discriminator::Config { channels: 0, ..judge }.into(), "dcgan_discriminator.channels"),
        (Config::Msrresnet(msrresnet::Config { scale: 8, ..msrresnet }), "msrresnet.scale"),
        (Config::Msrresnet(msrresnet::Config { blocks: 0, ..msrresnet }), "msrresnet.blocks"),
        (Config::Msrresnet(msrresnet::Config { channels: 257, ..msrresnet }), "msrresnet.channels"),
        (Config::Msrresnet(msrresnet::Config { colors: 2, ..msrresnet }), "msrresnet.colors"),
        (Config::Edsr(edsr::Config { scale: 1, ..edsr }), "edsr.scale"),
        (Config::Edsr(edsr::Config { blocks: 65, ..edsr }), "edsr.blocks"),
        (Config::Edsr(edsr::Config { channels: 0, ..edsr }), "edsr.channels"),
        (Config::Edsr(edsr::Config { res_scale: f64::NAN, ..edsr }), "edsr.res_scale"),
        (Config::Rcan(rcan::Config { scale: 5, ..rcan }), "rcan.scale"),
        (Config::Rcan(rcan::Config { groups: 0, ..rcan }), "rcan.groups"),
        (Config::Rcan(rcan::Config { blocks: 65, ..rcan }), "rcan.blocks"),
        (Config::Rcan(rcan::Config { channels: 513, ..rcan }), "rcan.channels"),
        (Config::Rcan(rcan::Config { reduction: 65, ..rcan }), "rcan.reduction"),
        (Config::Rcan(rcan::Config { unshuffle: 2, ..rcan }), "rcan.unshuffle"),
        (Config::Fsrcnn(fsrcnn::Config { scale: 1, ..fsrcnn }), "fsrcnn.scale"),
        (Config::Fsrcnn(fsrcnn::Config { channels: 0, ..fsrcnn }), "fsrcnn.channels"),
        (Config::Fsrcnn(fsrcnn::Config { shrunk: 257, ..fsrcnn }), "fsrcnn.shrunk"),
        (Config::Fsrcnn(fsrcnn::Config { mappings: 0, ..fsrcnn }), "fsrcnn.mappings"),
        (Config::Fsrcnn(fsrcnn::Config { colors: 4, ..fsrcnn }), "fsrcnn.colors"),
        (Config::Srvgg(srvgg::Config { scale: 9, ..srvgg::Config::general(4) }), "srvgg.scale"),
        (Config::Rrdbnet(rrdbnet::Config { scale: 0, ..rrdbnet }), "rrdbnet.scale"),
        (Config::Rrdbnet(rrdbnet::Config { unshuffle: 3, ..rrdbnet }), "rrdbnet.unshuffle"),
        (Config::Alexnet(alexnet::Config { classes: Some(0) }), "alexnet.classes"),
        (Config::Vgg(vgg::Config { net: Net::Vgg11, classes: Some(100_001) }), "vgg.classes"),
        (Config::Squeezenet(squeezenet::Config { version: Version::V1_0, classes: 0 }), "squeezenet.classes"),
        (Config::Densenet(densenet::Config { growth: 0, ..densenet }), "densenet.growth"),
        (Config::Densenet(densenet::Config { blocks: [6, 65, 1, 1], ..densenet }), "densenet.blocks"),
        (Config::Densenet(densenet::Config { channels: 1, ..densenet }), "densenet.channels"),
        (Config::Densenet(densenet::Config { bottleneck: 9, ..densenet }), "densenet.bottleneck"),
        (Config::Densenet(densenet::Config { classes: -1, ..densenet }), "densenet.classes"),
        (Config::Resnet(resnet::Config { blocks: [2, 2, 0, 2], ..basic }), "resnet.blocks"),
        (Config::Resnet(resnet::Config { width: 128, ..basic }), "resnet.width"),
        (Config::Resnet(bottleneck), "resnet.width"),
        (Config::Resnet(resnet::Config { classes: 0, ..basic }), "resnet.classes"),
    ];
    for (config, key) in wrong {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(key), "{error}");
    }
}
