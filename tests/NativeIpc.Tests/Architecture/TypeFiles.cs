using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace NativeIpc.Tests.Architecture;

/// <summary>Where types are written.</summary>
internal static class TypeFiles
{
    /// <summary>The source files of the outermost types of an assembly, by the portable PDB beside it.</summary>
    internal static Dictionary<string, HashSet<string>> Of(string assembly)
    {
        // Types without code have no line: the compiler notes their files (Portable PDB, TypeDefinitionDocuments).
        Guid ofTypes = new("932E74BC-DBA9-4478-8D46-0F32A7BAB3D3");
        using var image = new PEReader(File.OpenRead(assembly));
        MetadataReader types = image.GetMetadataReader();
        using MetadataReaderProvider provider =
            MetadataReaderProvider.FromPortablePdbStream(File.OpenRead(Path.ChangeExtension(assembly, ".pdb")));
        MetadataReader symbols = provider.GetMetadataReader();
        Dictionary<string, HashSet<string>> files = [];
        foreach (TypeDefinitionHandle handle in types.TypeDefinitions)
        {
            string name = OutermostName(types, handle);
            HashSet<string> found = files.TryGetValue(name, out HashSet<string>? known) ? known : files[name] = [];
            foreach (MethodDefinitionHandle method in types.GetTypeDefinition(handle).GetMethods())
            {
                MethodDebugInformation lines = symbols.GetMethodDebugInformation(method);
                if (!lines.Document.IsNil) Add(symbols, lines.Document);
            }

            foreach (CustomDebugInformationHandle note in symbols.GetCustomDebugInformation(handle))
            {
                CustomDebugInformation information = symbols.GetCustomDebugInformation(note);
                if (symbols.GetGuid(information.Kind) != ofTypes) continue;
                BlobReader rows = symbols.GetBlobReader(information.Value);
                while (rows.RemainingBytes > 0)
                    Add(symbols, MetadataTokens.DocumentHandle(rows.ReadCompressedInteger()));
            }

            void Add(MetadataReader symbols, DocumentHandle document)
            {
                string path = symbols.GetString(symbols.GetDocument(document).Name).Replace('\\', '/');
                if (!path.EndsWith(".g.cs", StringComparison.Ordinal)) found.Add(path); // not by a generator
            }
        }

        return files;
    }

    private static string OutermostName(MetadataReader types, TypeDefinitionHandle handle)
    {
        TypeDefinition type = types.GetTypeDefinition(handle);
        for (; !type.GetDeclaringType().IsNil; type = types.GetTypeDefinition(type.GetDeclaringType()))
        {
        }

        string ns = types.GetString(type.Namespace);
        return ns.Length == 0 ? types.GetString(type.Name) : $"{ns}.{types.GetString(type.Name)}";
    }
}
