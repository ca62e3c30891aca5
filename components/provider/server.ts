import messages from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { describe, messageOf } from "../model/problem.ts";
import { differenceOf, firstName } from "./difference.ts";
import { type Message, type Methods, ProviderProtocol } from "./protocol.ts";
import type { Context, Difference, Existing, ResourceType } from "./resource.ts";
import { checked, configured, differs, Kept } from "./responses.ts";
import { fromStruct, toStruct, UNKNOWN, unknownNames } from "./wire.ts";

type Type = ResourceType<object, object>;

/** Marks a resource whose create did not come to its end: the next update resumes it, a delete clears it. */
const UNFINISHED = "unfinished";

/** The plugin's side of Pulumi's resource provider protocol, for the types given. */
export class PluginServer extends ProviderProtocol {
  readonly #types: ReadonlyMap<string, Type>;

  constructor(types: readonly Type[], version: string, engineAddress: string | undefined) {
    super("spillway", version, engineAddress);
    this.#types = new Map(types.map((type) => [type.token, type]));
  }

  protected override methods(): Methods {
    return {
      handshake: () => {
        const response = new messages.ProviderHandshakeResponse();
        response.setAcceptSecrets(false);
        return response;
      },
      checkConfig: (request: Message<typeof messages.CheckRequest>) => checked(request.getNews()),
      diffConfig: () => new messages.DiffResponse(),
      configure: () => configured(),
      check: (request: Message<typeof messages.CheckRequest>) => this.#check(request),
      diff: (request: Message<typeof messages.DiffRequest>) => this.#diff(request),
      create: (request: Message<typeof messages.CreateRequest>) => this.#create(request),
      read: (request: Message<typeof messages.ReadRequest>) => this.#read(request),
      update: (request: Message<typeof messages.UpdateRequest>) => this.#update(request),
      delete: (request: Message<typeof messages.DeleteRequest>) => this.#delete(request),
    };
  }

  #type(urn: string): Type {
    const token = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const type = this.#types.get(token);
    if (!type) throw new Error(`the plugin spillway ${this.version} has no resource type "${token}"`);
    return type;
  }

  #context(urn: string, preview: boolean, timeoutSeconds = 0): Context {
    return {
      urn,
      preview,
      timeoutSeconds,
      signal: this.signal,
      progress: (message) => this.log?.progress(urn, message),
      info: (message) => this.log?.info(message, urn),
      warn: (message) => this.log?.warn(urn, message),
    };
  }

  #check(request: Message<typeof messages.CheckRequest>) {
    const type = this.#type(request.getUrn());
    const inputs = fromStruct(request.getNews(), { unknown: "drop" });
    const problems = type.check?.(inputs, unknownNames(request.getNews())) ?? [];
    return checked(
      request.getNews(),
      problems.map((problem) => [firstName(problem.path), describe(problem)] as const),
    );
  }

  #diff(request: Message<typeof messages.DiffRequest>) {
    const type = this.#type(request.getUrn());
    const old = existing(request.getId(), request.getOldInputs(), request.getOlds());
    const inputs = fromStruct(request.getNews(), { unknown: "keep" });
    const difference = differenceBetween(type, old, inputs);
    if (!type.update) difference.replace = difference.paths;
    const { replace = [], deleteBeforeReplace = true } = difference;
    // A refresh makes the engine forget that a create failed; the mark in the state does not.
    const paths = isUnfinished(old) ? [...difference.paths, UNFINISHED] : difference.paths;
    return differs({ paths, replace, deleteBeforeReplace });
  }

  async #create(request: Message<typeof messages.CreateRequest>) {
    const type = this.#type(request.getUrn());
    const response = new messages.CreateResponse();
    const context = this.#context(request.getUrn(), request.getPreview(), request.getTimeout());
    if (request.getPreview()) {
      response.setProperties(await this.#previewCreate(type, context, request.getProperties()));
      return response;
    }
    const inputs = fromStruct(request.getProperties(), { unknown: "drop" });
    const { id, outputs } = await this.#finish(type, context, inputs);
    response.setId(id);
    response.setProperties(toStruct({ ...inputs, ...outputs }, type.secret));
    return response;
  }

  async #previewCreate(type: Type, context: Context, properties: Struct | undefined): Promise<Struct> {
    if (unknownNames(properties).size === 0) {
      await type.preview?.(context, fromStruct(properties, { unknown: "drop" }));
    }
    const outputs = Object.fromEntries(type.computed.map((name) => [name, UNKNOWN]));
    return toStruct({ ...fromStruct(properties, { unknown: "keep" }), ...outputs });
  }

  /** Creates, or goes on with a create that was cut; a failure leaves a way on in the state. */
  async #finish(type: Type, context: Context, inputs: object): Promise<{ id: string; outputs: object }> {
    try {
      return await type.create(context, inputs);
    } catch (error) {
      const id = type.unfinishedId?.(inputs);
      if (id === undefined) throw error;
      throw new Kept(messageOf(error), id, toStruct({ ...inputs, [UNFINISHED]: true }, type.secret));
    }
  }

  async #read(request: Message<typeof messages.ReadRequest>) {
    const type = this.#type(request.getUrn());
    const old = existing(request.getId(), request.getInputs(), request.getProperties());
    const response = new messages.ReadResponse();
    const resumable = isUnfinished(old);
    const found =
      resumable || !type.read ? old : await type.read(this.#context(request.getUrn(), false), old);
    if (!found) return response;
    response.setId(request.getId());
    response.setInputs(toStruct(found.inputs));
    const marker = resumable ? { [UNFINISHED]: true } : {};
    response.setProperties(toStruct({ ...found.inputs, ...found.outputs, ...marker }, type.secret));
    return response;
  }

  async #update(request: Message<typeof messages.UpdateRequest>) {
    const type = this.#type(request.getUrn());
    const response = new messages.UpdateResponse();
    const old = existing(request.getId(), request.getOldInputs(), request.getOlds());
    if (request.getPreview()) {
      if (unknownNames(request.getNews()).size === 0) {
        const context = this.#context(request.getUrn(), true);
        const inputs = fromStruct(request.getNews(), { unknown: "drop" });
        if (isUnfinished(old)) await type.preview?.(context, inputs);
        else if (!areWordsAlone(type, old, inputs)) await type.previewUpdate?.(context, old, inputs);
      }
      response.setProperties(this.#previewUpdate(type, old, request.getNews()));
      return response;
    }
    const inputs = fromStruct(request.getNews(), { unknown: "drop" });
    const context = this.#context(request.getUrn(), false, request.getTimeout());
    const update = () =>
      areWordsAlone(type, old, inputs) ? old.outputs : type.update!(context, old, inputs);
    const outputs = isUnfinished(old) ? (await this.#finish(type, context, inputs)).outputs : await update();
    response.setProperties(toStruct({ ...inputs, ...outputs }, type.secret));
    return response;
  }

  #previewUpdate(type: Type, old: Existing<object, object>, news: Struct | undefined): Struct {
    const inputs = fromStruct(news, { unknown: "keep" });
    const names = isUnfinished(old) ? type.computed : (type.renews?.(old, inputs) ?? []);
    const renewed = Object.fromEntries(names.map((name) => [name, UNKNOWN]));
    return toStruct({ ...inputs, ...old.outputs, ...renewed }, type.secret);
  }

  async #delete(request: Message<typeof messages.DeleteRequest>) {
    const type = this.#type(request.getUrn());
    const old = existing(request.getId(), request.getOldInputs(), request.getProperties());
    await type.delete(this.#context(request.getUrn(), false, request.getTimeout()), old);
    return new empty.Empty();
  }
}

function differenceBetween(type: Type, old: Existing<object, object>, inputs: object): Difference {
  return type.diff?.(old, inputs) ?? differenceOf(old.inputs, inputs, { replaceOn: type.replaceOn });
}

/** Whether an update would change nothing but words that allow something later. */
export function areWordsAlone(type: Type, old: Existing<object, object>, inputs: object): boolean {
  const before = Object.entries(old.inputs).filter(([name]) =>
    (type.words as readonly string[] | undefined)?.includes(name),
  );
  if (before.length === 0) return false;
  return differenceBetween(type, old, { ...inputs, ...Object.fromEntries(before) }).paths.length === 0;
}

const isUnfinished = (old: Existing<object, object>): boolean => UNFINISHED in old.outputs;

function existing(
  id: string,
  inputs: Struct | undefined,
  properties: Struct | undefined,
): Existing<object, object> {
  const plainInputs = fromStruct(inputs, { unknown: "keep" });
  const outputs = Object.entries(fromStruct(properties, { unknown: "keep" }));
  return {
    id,
    inputs: plainInputs,
    outputs: Object.fromEntries(outputs.filter(([name]) => !(name in plainInputs))),
  };
}
