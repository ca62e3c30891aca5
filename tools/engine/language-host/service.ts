import type { handleServerStreamingCall, handleUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import language from "@pulumi/pulumi/proto/language_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { dependencies, pulumiPlugin, sdkVersion } from "./packages.ts";
import { installCommand, pluginCommand, programCommand, run, stream } from "./run.ts";

type Unary<Request, Response> = handleUnaryCall<Request, Response>;

/** The calls that this host answers; the rest (code generation, packing) is left unimplemented. */
export function languageRuntime(engineAddress: string): UntypedServiceImplementation {
  const handshake: Unary<language.LanguageHandshakeRequest, language.LanguageHandshakeResponse> = (
    _,
    reply,
  ) => reply(null, new language.LanguageHandshakeResponse());

  const getPluginInfo: Unary<empty.Empty, plugin.PluginInfo> = (_, reply) =>
    reply(null, new plugin.PluginInfo().setVersion(sdkVersion()));

  const getRequiredPlugins: Unary<language.GetRequiredPluginsRequest, language.GetRequiredPluginsResponse> = (
    call,
    reply,
  ) =>
    reply(
      null,
      new language.GetRequiredPluginsResponse().setPluginsList(requiredBy(call.request, pluginDependency)),
    );

  const getRequiredPackages: Unary<
    language.GetRequiredPackagesRequest,
    language.GetRequiredPackagesResponse
  > = (call, reply) =>
    reply(
      null,
      new language.GetRequiredPackagesResponse().setPackagesList(requiredBy(call.request, packageDependency)),
    );

  const getProgramDependencies: Unary<
    language.GetProgramDependenciesRequest,
    language.GetProgramDependenciesResponse
  > = ({ request }, reply) => {
    const found = dependencies(directoryOf(request), {
      transitive: request.getTransitivedependencies(),
      dev: true,
    });
    const infos = found.map(({ name, version }) =>
      new language.DependencyInfo().setName(name).setVersion(version),
    );
    reply(null, new language.GetProgramDependenciesResponse().setDependenciesList(infos));
  };

  const about: Unary<language.AboutRequest, language.AboutResponse> = (_, reply) =>
    reply(null, new language.AboutResponse().setExecutable(process.execPath).setVersion(process.version));

  const runtimeOptionsPrompts: Unary<language.RuntimeOptionsRequest, language.RuntimeOptionsResponse> = (
    _,
    reply,
  ) => reply(null, new language.RuntimeOptionsResponse());

  const template: Unary<language.TemplateRequest, language.TemplateResponse> = (_, reply) =>
    reply(null, new language.TemplateResponse());

  const cancel: Unary<empty.Empty, empty.Empty> = (_, reply) => reply(null, new empty.Empty());

  const runProgram: Unary<language.RunRequest, language.RunResponse> = async (call, reply) => {
    try {
      reply(null, await run(programCommand(call.request, engineAddress), call));
    } catch (error) {
      reply(null, new language.RunResponse().setError((error as Error).message));
    }
  };

  const installDependencies: handleServerStreamingCall<
    language.InstallDependenciesRequest,
    language.InstallDependenciesResponse
  > = (call) =>
    stream(installCommand(call.request), call, {
      stdout: (data) => new language.InstallDependenciesResponse().setStdout(data),
      stderr: (data) => new language.InstallDependenciesResponse().setStderr(data),
    });

  const runPlugin: handleServerStreamingCall<language.RunPluginRequest, language.RunPluginResponse> = (
    call,
  ) =>
    stream(pluginCommand(call.request), call, {
      stdout: (data) => new language.RunPluginResponse().setStdout(data),
      stderr: (data) => new language.RunPluginResponse().setStderr(data),
      exit: (code) => new language.RunPluginResponse().setExitcode(code),
    });

  return {
    handshake,
    getPluginInfo,
    getRequiredPlugins,
    getRequiredPackages,
    getProgramDependencies,
    about,
    runtimeOptionsPrompts,
    template,
    cancel,
    run: runProgram,
    installDependencies,
    runPlugin,
  };
}

interface HasInfo {
  getInfo(): language.ProgramInfo | undefined;
}

function directoryOf(request: HasInfo): string {
  return request.getInfo()?.getProgramDirectory() ?? process.cwd();
}

interface Required {
  name: string;
  version: string;
  server: string;
}

function requiredBy<T>(request: HasInfo, convert: (required: Required) => T): T[] {
  return dependencies(directoryOf(request), { transitive: true, dev: false })
    .map(pulumiPlugin)
    .filter((found) => found !== undefined)
    .map(convert);
}

function pluginDependency({ name, version, server }: Required): plugin.PluginDependency {
  return new plugin.PluginDependency()
    .setName(name)
    .setKind("resource")
    .setVersion(version)
    .setServer(server);
}

function packageDependency({ name, version, server }: Required): plugin.PackageDependency {
  return new plugin.PackageDependency()
    .setName(name)
    .setKind("resource")
    .setVersion(version)
    .setServer(server);
}
